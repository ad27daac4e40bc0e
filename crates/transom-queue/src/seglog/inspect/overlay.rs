//! A disk that keeps in memory what is written to it, over one that is only read: recovery runs on
//! it as it always does, and the disk below stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::io::{DirEntry, LockError, LockGuard, OpenMode, Space, SpoolFile, SpoolIo};
use crate::sync::lock;

/// What is written there is never read again by the run that wrote it, and may be as large as all
/// damage together.
const FORGOTTEN: [&str; 2] = ["quarantine/", "tmp/"];

#[derive(Debug)]
pub(in crate::seglog) struct Overlay {
    under: Arc<dyn SpoolIo>,
    names: Mutex<Names>,
}

/// How the folder differs from what lies on the disk.
#[derive(Debug, Default)]
struct Names {
    /// Files that were written or renamed; none for one that was removed.
    files: BTreeMap<String, Option<Arc<OverlayFile>>>,
    folders: BTreeSet<String>,
}

impl Overlay {
    pub(in crate::seglog) fn new(under: Arc<dyn SpoolIo>) -> Self {
        Self { under, names: Mutex::default() }
    }

    /// A file as it stands on the disk below, to be written to in memory.
    fn over(&self, path: &str) -> io::Result<Arc<OverlayFile>> {
        let base = self.under.open(path, OpenMode::Read)?;
        let state = State { octets: base.len()?, writes: Vec::new() };
        Ok(Arc::new(OverlayFile { base: Some(base), forgets: false, state: Mutex::new(state) }))
    }

    fn create(&self, path: &str, names: &mut Names) -> io::Result<Arc<OverlayFile>> {
        let is_there = match names.files.get(path) {
            Some(known) => known.is_some(),
            None => match self.under.open(path, OpenMode::Read) {
                Ok(_) => true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            },
        };
        if is_there {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let forgets = FORGOTTEN.iter().any(|folder| path.starts_with(folder));
        Ok(Arc::new(OverlayFile { base: None, forgets, state: Mutex::default() }))
    }
}

impl SpoolIo for Overlay {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn SpoolFile>> {
        let mut names = lock(&self.names);
        let file = match (mode, names.files.get(path)) {
            (OpenMode::CreateNew, _) => self.create(path, &mut names)?,
            (_, Some(Some(file))) => return Ok(Arc::clone(file) as Arc<dyn SpoolFile>),
            (_, Some(None)) => return Err(io::ErrorKind::NotFound.into()),
            (OpenMode::Read, None) => return self.under.open(path, OpenMode::Read),
            (OpenMode::Write, None) => self.over(path)?,
        };
        names.files.insert(path.to_owned(), Some(Arc::clone(&file)));
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut names = lock(&self.names);
        let file = match names.files.get(from) {
            Some(Some(file)) => Arc::clone(file),
            Some(None) => return Err(io::ErrorKind::NotFound.into()),
            None => self.over(from)?,
        };
        names.files.insert(from.to_owned(), None);
        names.files.insert(to.to_owned(), Some(file));
        Ok(())
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        lock(&self.names).files.insert(path.to_owned(), None);
        Ok(())
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        lock(&self.names).folders.insert(path.to_owned());
        Ok(())
    }

    fn fsync_dir(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        let names = lock(&self.names);
        let made = names.folders.contains(path);
        let mut entries = match self.under.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && made => Vec::new(),
            listed => listed?,
        };
        let within = |name: &str| -> Option<String> {
            let (folder, name) = name.rsplit_once('/').unwrap_or(("", name));
            (folder == path).then(|| name.to_owned())
        };
        let changed: Vec<(String, Option<u64>)> = names
            .files
            .iter()
            .filter_map(|(name, file)| {
                Some((within(name)?, file.as_ref().map(|file| lock(&file.state).octets)))
            })
            .collect();
        entries.retain(|entry| !changed.iter().any(|(name, _)| *name == entry.name));
        entries.extend(
            changed.into_iter().filter_map(|(name, octets)| {
                Some(DirEntry { name, is_dir: false, octets: octets? })
            }),
        );
        for name in names.folders.iter().filter_map(|folder| within(folder)) {
            if !entries.iter().any(|entry| entry.name == name) {
                entries.push(DirEntry { name, is_dir: true, octets: 0 });
            }
        }
        Ok(entries)
    }

    /// Whoever made the overlay has seen to it that nobody writes below.
    fn lock(&self, _path: &str, _owner: &str) -> Result<Box<dyn LockGuard>, LockError> {
        Ok(Box::new(NoLock))
    }

    /// None that anybody should plan with.
    fn space(&self) -> io::Result<Space> {
        Ok(Space { total: 0, free: 0 })
    }

    fn machine_boot_id(&self) -> String {
        self.under.machine_boot_id()
    }

    fn elapsed(&self) -> Duration {
        self.under.elapsed()
    }

    fn describe(&self) -> String {
        self.under.describe()
    }
}

#[derive(Debug)]
struct NoLock;

impl LockGuard for NoLock {}

#[derive(Debug)]
struct OverlayFile {
    base: Option<Arc<dyn SpoolFile>>,
    /// Only the length of what is written is kept.
    forgets: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    octets: u64,
    /// In order: a later one hides an earlier one. There are few, each a whole batch.
    writes: Vec<(u64, Vec<u8>)>,
}

impl SpoolFile for OverlayFile {
    fn write_all_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let octets: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let mut state = lock(&self.state);
        let count = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        state.octets = state.octets.max(offset.saturating_add(count));
        if !self.forgets {
            state.writes.push((offset, octets));
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let state = lock(&self.state);
        let rest = usize::try_from(state.octets.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = rest.min(buf.len());
        let target = buf.get_mut(..count).unwrap_or_default();
        target.fill(0);
        if let Some(base) = &self.base {
            base.read_at(offset, target)?;
        }
        for (at, octets) in &state.writes {
            copy_over(offset, target, *at, octets);
        }
        Ok(count)
    }

    fn fdatasync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.state).octets)
    }
}

/// Copies those of `octets`, which stand at `at`, that fall into `target`, which stands at
/// `offset`.
fn copy_over(offset: u64, target: &mut [u8], at: u64, octets: &[u8]) {
    let skipped = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).ok();
    let source = skipped(at, offset).and_then(|skip| octets.get(skip..)).unwrap_or_default();
    let target = skipped(offset, at).and_then(|skip| target.get_mut(skip..)).unwrap_or_default();
    for (to, from) in target.iter_mut().zip(source) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::SimFs;

    fn write(file: &dyn SpoolFile, offset: u64, octets: &[u8]) {
        file.write_all_at(offset, &[IoSlice::new(octets)]).unwrap();
    }

    fn read(io: &dyn SpoolIo, path: &str) -> Vec<u8> {
        let file = io.open(path, OpenMode::Read).unwrap();
        let mut octets = vec![0xff; 64];
        let count = file.read_at(0, &mut octets).unwrap();
        octets.truncate(count);
        octets
    }

    /// A disk with one file in a folder.
    fn disk() -> Arc<SimFs> {
        let fs = SimFs::new(1);
        fs.create_dir("log").unwrap();
        write(&*fs.open("log/a", OpenMode::CreateNew).unwrap(), 0, b"below");
        Arc::new(fs)
    }

    fn names(io: &dyn SpoolIo, path: &str) -> Vec<String> {
        let mut names: Vec<_> = io.list(path).unwrap().into_iter().map(|it| it.name).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_changed_above_stays_as_it_was_below() {
        let fs = disk();
        let overlay = Overlay::new(Arc::clone(&fs) as Arc<dyn SpoolIo>);
        write(&*overlay.open("log/a", OpenMode::Write).unwrap(), 3, b"ieve");
        assert_eq!(read(&overlay, "log/a"), b"believe");
        overlay.rename("log/a", "log/b").unwrap();
        overlay.open("log/c", OpenMode::CreateNew).unwrap();
        overlay.create_dir("new").unwrap();
        assert_eq!(read(&overlay, "log/b"), b"believe");
        assert_eq!(names(&overlay, "log"), ["b", "c"]);
        assert_eq!(names(&overlay, ""), ["log", "new"]);
        assert!(overlay.list("new").unwrap().is_empty());
        overlay.unlink("log/b").unwrap();
        let gone = overlay.open("log/b", OpenMode::Read).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        assert_eq!(read(&*fs, "log/a"), b"below");
        assert_eq!((names(&*fs, "log"), names(&*fs, "")), (vec!["a".into()], vec!["log".into()]));
    }

    #[test]
    fn a_file_that_is_there_is_not_made_anew() {
        let overlay = Overlay::new(disk());
        let error = overlay.open("log/a", OpenMode::CreateNew).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        overlay.unlink("log/a").unwrap();
        overlay.open("log/a", OpenMode::CreateNew).unwrap();
        assert_eq!(read(&overlay, "log/a"), b"");
    }

    proptest! {
        #[test]
        fn reads_as_one_array_that_was_written_to(
            writes in
                prop::collection::vec((0usize..40, prop::collection::vec(1u8.., 0..20)), 0..6),
            (from, len) in (0usize..70, 0usize..70),
        ) {
            let overlay = Overlay::new(disk());
            let file = overlay.open("log/a", OpenMode::Write).unwrap();
            let mut model = b"below".to_vec();
            for (at, octets) in writes {
                write(&*file, at.try_into().unwrap(), &octets);
                model.resize(model.len().max(at + octets.len()), 0);
                model[at..at + octets.len()].copy_from_slice(&octets);
            }
            let mut octets = vec![0xff; len];
            let count = file.read_at(from.try_into().unwrap(), &mut octets).unwrap();
            let expected = model.get(from..).unwrap_or_default();
            prop_assert_eq!(&octets[..count], &expected[..len.min(expected.len())]);
        }
    }
}
