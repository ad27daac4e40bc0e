//! Every store of this crate passes the one suite.
#![expect(clippy::unwrap_used, reason = "tests fail by panic")]

use std::sync::Arc;

use tempfile::TempDir;
use transom_queue::io::SpoolIo;
use transom_queue::testing::{SimFs, conformance};
use transom_queue::{DirIo, Driver, MemorySpool, SegLog, SegLogOptions, Spool};

#[test]
fn memory_spool_keeps_the_contract() {
    conformance::check(&|| Arc::new(MemorySpool::default()));
}

fn open(io: Arc<dyn SpoolIo>, options: SegLogOptions) -> Arc<dyn Spool> {
    Arc::new(SegLog::open(io, options).unwrap())
}

#[test]
fn segment_log_on_the_simulated_disk_keeps_the_contract() {
    let options =
        || SegLogOptions::default().with_reserve_octets(64 << 10).with_driver(Driver::Inline);
    let on = |fs: &SimFs| open(Arc::new(fs.clone()), options());
    conformance::check_durable(&|| SimFs::new(1), &on);
}

#[test]
fn segment_log_with_small_segments_keeps_the_contract() {
    let options = || {
        SegLogOptions::default()
            .with_segment_octets(64 << 10)
            .with_batch_octets_max(16 << 10)
            .with_inline_octets_max(8 << 10)
            .with_reserve_octets(64 << 10)
            .with_driver(Driver::Inline)
    };
    let on = |fs: &SimFs| open(Arc::new(fs.clone()), options());
    conformance::check_durable(&|| SimFs::new(2), &on);
}

#[test]
fn segment_log_in_a_folder_keeps_the_contract() {
    let fresh = || TempDir::new().unwrap();
    conformance::check_durable(&fresh, &|dir: &TempDir| {
        open(Arc::new(DirIo::open(dir.path()).unwrap()), SegLogOptions::default())
    });
}

#[test]
fn two_stores_have_two_ids() {
    let log =
        || open(Arc::new(SimFs::new(3)), SegLogOptions::default().with_driver(Driver::Inline));
    assert_ne!(log().id(), log().id());
    assert_ne!(MemorySpool::default().id(), MemorySpool::default().id());
}
