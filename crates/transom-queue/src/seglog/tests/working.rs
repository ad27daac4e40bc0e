//! Messages that end the process.

use super::*;
use crate::spool::{POISON_ACTOR, Work, WorkStage};
use crate::testing::{CrashKind, SimFs};

fn open_on(fs: &SimFs) -> (SegLog, Vec<LoadedMessage>, RecoveryReport) {
    let log = SegLog::open(Arc::new(fs.clone()), small()).unwrap();
    let (messages, report) = load(&log);
    (log, messages, report)
}

fn die(fs: &SimFs, log: SegLog, work: Option<Work>) -> SimFs {
    let next = fs.crash(CrashKind::Kill);
    drop((work, log));
    next
}

#[test]
fn message_that_ends_two_runs_in_a_row_is_poison_and_kept_suspended() {
    let fs = SimFs::new(1);
    let (log, ..) = open_on(&fs);
    let (bad, waits) = (accept(&log, b"bad", 1), accept(&log, b"waits", 1));
    let work = log.working(bad, WorkStage::Categorize);
    let fs = die(&fs, log, Some(work));

    let (log, _, report) = open_on(&fs);
    assert_eq!(report.poison, []);
    let work = log.working(bad, WorkStage::Agent);
    let fs = die(&fs, log, Some(work));

    let (log, messages, report) = open_on(&fs);
    assert_eq!(report.poison, [bad]);
    let suspended = |id| messages.iter().find(|it| it.id == id).unwrap().state.suspended.clone();
    assert_eq!(suspended(bad).as_deref(), Some(POISON_ACTOR));
    assert_eq!(suspended(waits), None);
    // It stays so, until somebody says otherwise.
    let fs = die(&fs, log, None);
    let (log, messages, report) = open_on(&fs);
    assert_eq!(report.poison, []);
    let suspended = messages.iter().find(|it| it.id == bad).unwrap().state.suspended.clone();
    assert_eq!(suspended.as_deref(), Some(POISON_ACTOR));
    commit(&log, vec![Op::Admin { id: bad, verb: AdminVerb::Resume, actor: "ann".into() }]);
    assert_eq!(body_of(&log, bad), b"bad");
}

#[test]
fn message_that_was_done_with_or_only_waited_is_no_suspect() {
    let mut fs = SimFs::new(1);
    let (log, ..) = open_on(&fs);
    let (done, waits) = (accept(&log, b"done", 1), accept(&log, b"waits", 1));
    fs = die(&fs, log, None);
    for round in 0..4 {
        let (log, _, report) = open_on(&fs);
        assert_eq!(report.poison, [], "{round}");
        drop(log.working(done, WorkStage::Categorize));
        let intent = Intent { recipients: vec![0], host: "mx".into(), attempt: round + 1 };
        commit(&log, vec![Op::Intent { id: waits, intent }]);
        fs = die(&fs, log, None);
    }
}

#[test]
fn message_that_ends_a_run_now_and_then_is_no_poison() {
    let mut fs = SimFs::new(1);
    let (log, ..) = open_on(&fs);
    let id = accept(&log, b"x", 1);
    fs = die(&fs, log, None);
    for round in 0..6 {
        let (log, _, report) = open_on(&fs);
        assert_eq!(report.poison, [], "{round}");
        let work = (round % 2 == 0).then(|| log.working(id, WorkStage::Agent));
        fs = die(&fs, log, work);
    }
}

#[test]
fn more_work_than_slots_is_done_all_the_same() {
    let fs = SimFs::new(1);
    let (log, ..) = open_on(&fs);
    let id = accept(&log, b"x", 1);
    let all: Vec<_> = (0..300).map(|_| log.working(id, WorkStage::Agent)).collect();
    drop(all);
    drop(log);
    let (_, _, report) = open_on(&fs);
    assert_eq!((report.messages, report.poison), (1, vec![]));
}
