//! The message tracking log on disk: one writer thread, files rotated as `transom-tracking` says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use transom_tracking::rotation::{Decision, LogFile, MESSAGE_TRACKING_PREFIX};
use transom_tracking::rotation::{Rotation, RotationState};
use transom_tracking::{EventSink, TrackingEvent, csv};

use crate::clock::Clock;

/// Octets of rows that may wait for the writer. When they are reached, whoever emits an event
/// waits: the log is evidence, so no row is dropped.
const BACKLOG_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// How long the writer gathers rows after the first: at most a hundred writes a second.
const GATHER: Duration = Duration::from_millis(10);

/// An [`EventSink`] that writes the message tracking log, `MSGTRKyyyymmddhh-n.LOG`, into a folder.
///
/// A row is in the file some 10 ms after its event; [`flush`](EventSink::flush) waits for it.
/// Dropping the log writes what waits.
pub struct TrackingLog {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The writer waits here for rows and for the end.
    rows: Condvar,
    /// Emitters wait here for room, flushers for the writer.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    /// The writer holds rows that are not in the file yet.
    writing: bool,
    /// Somebody waits for the rows: no gathering.
    hurry: bool,
    stop: bool,
}

impl TrackingLog {
    /// Opens the log in `folder`, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, read or written.
    pub fn open(folder: &Path, rotation: Rotation, clock: Arc<dyn Clock>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let names: Vec<String> = listing(folder)?.into_iter().map(|file| file.name).collect();
        let names = names.iter().map(String::as_str);
        let rotation = RotationState::new(rotation, MESSAGE_TRACKING_PREFIX, names);
        let mut files = Files { folder: folder.to_owned(), rotation, file: None, clock };
        // A folder that cannot be written shows now, not with the first message.
        files.write(&[])?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            rows: Condvar::new(),
            room: Condvar::new(),
        });
        let writer = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("transom-tracking".to_owned())
                .spawn(move || write_rows(&shared, &mut files))?
        };
        Ok(Self { shared, writer: Some(writer) })
    }
}

impl std::fmt::Debug for TrackingLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackingLog").finish_non_exhaustive()
    }
}

impl EventSink for TrackingLog {
    fn emit(&self, event: &TrackingEvent) {
        let mut state = self.shared.lock();
        while state.pending.len() >= BACKLOG_OCTETS_MAX && !state.stop {
            state = self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let wake = state.pending.is_empty();
        csv::write_row(event, &mut state.pending);
        drop(state);
        if wake {
            self.shared.rows.notify_one();
        }
    }

    fn flush(&self) {
        let mut state = self.shared.lock();
        state.hurry = true;
        self.shared.rows.notify_one();
        while (state.writing || !state.pending.is_empty()) && !state.stop {
            state = self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.hurry = false;
    }
}

impl Drop for TrackingLog {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.rows.notify_one();
        self.shared.room.notify_all();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer thread: waits for rows, lets some gather, writes them.
fn write_rows(shared: &Shared, files: &mut Files) {
    let mut rows = Vec::new();
    loop {
        let mut state = shared.lock();
        while state.pending.is_empty() && !state.stop {
            state = shared.rows.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.pending.is_empty() {
            return;
        }
        if !state.hurry && !state.stop {
            let gathered = shared.rows.wait_timeout(state, GATHER);
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut rows, &mut state.pending);
        state.writing = true;
        drop(state);
        if let Err(error) = files.write(&rows) {
            tracing::error!(%error, folder = %files.folder.display(), "rows are lost");
        }
        rows.clear();
        shared.lock().writing = false;
        shared.room.notify_all();
    }
}

/// The files of the log.
struct Files {
    folder: PathBuf,
    rotation: RotationState,
    file: Option<File>,
    clock: Arc<dyn Clock>,
}

impl Files {
    /// Writes whole rows to the file that is current, or to a new one.
    fn write(&mut self, rows: &[u8]) -> io::Result<()> {
        let now = self.clock.wall();
        let octets = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        if let Decision::Roll { name } = self.rotation.before_write(now, octets) {
            self.remove_old()?;
            let path = self.folder.join(name);
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            let mut header = Vec::new();
            csv::write_header(now, &mut header);
            file.write_all(&header)?;
            self.rotation.add_octets(u64::try_from(header.len()).unwrap_or(u64::MAX));
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(rows),
            None => Err(io::Error::other("no log file is open")),
        }
    }

    fn remove_old(&self) -> io::Result<()> {
        let files = listing(&self.folder)?;
        for name in self.rotation.to_delete(&files, self.clock.wall()) {
            fs::remove_file(self.folder.join(name))?;
        }
        Ok(())
    }
}

fn listing(folder: &Path) -> io::Result<Vec<LogFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), entry.metadata()) {
            files.push(LogFile { name, octets: metadata.len() });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use transom_tracking::{EventId, Source};

    use super::*;
    use crate::clock::SystemClock;

    fn event() -> TrackingEvent {
        TrackingEvent::new(EventId::Receive, Source::Smtp, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn every_row_is_in_the_file_after_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let log =
            TrackingLog::open(folder.path(), Rotation::default(), Arc::new(SystemClock)).unwrap();
        for _ in 0..1_000 {
            log.emit(&event());
        }
        log.flush();
        assert_eq!(rows(folder.path()), 1_000);
        log.emit(&event());
        drop(log);
        assert_eq!(rows(folder.path()), 1_001);
    }

    #[test]
    fn files_roll_at_their_size_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let rotation =
            Rotation::default().with_file_octets_max(10_000).with_directory_octets_max(30_000);
        let log = TrackingLog::open(folder.path(), rotation, Arc::new(SystemClock)).unwrap();
        for _ in 0..100 {
            for _ in 0..20 {
                log.emit(&event());
            }
            log.flush();
        }
        let files = listing(folder.path()).unwrap();
        assert!(files.len() > 1);
        assert!(files.iter().all(|file| file.octets <= 12_000), "{files:?}");
        let total: u64 = files.iter().map(|file| file.octets).sum();
        assert!(total <= 42_000, "{total}");
    }

    #[test]
    fn folder_that_cannot_be_made_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let log = TrackingLog::open(&file, Rotation::default(), Arc::new(SystemClock));
        assert!(log.is_err());
    }

    fn rows(folder: &Path) -> usize {
        let files = listing(folder).unwrap();
        let texts = files.iter().map(|file| fs::read_to_string(folder.join(&file.name)).unwrap());
        texts.map(|text| text.lines().filter(|line| !line.starts_with('#')).count()).sum()
    }
}
