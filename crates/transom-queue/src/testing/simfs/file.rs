//! An open file.

use std::io::{Error, ErrorKind, IoSlice, Result};

use super::SimFs;
use super::inode::Inode;
use super::machine::{Machine, OpKind, Verdict};
use crate::io::{OpenMode, SpoolFile};

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) fs: SimFs,
    pub(super) path: String,
    pub(super) inode: u64,
    pub(super) mode: OpenMode,
}

impl SimFile {
    /// A write that room or a crash cuts short puts down a part from the front.
    fn write_part(&self, machine: &mut Machine, offset: usize, octets: &[u8]) {
        let part = machine.rng.index(octets.len() + 1);
        if let (Some(inode), Some(front)) =
            (machine.inodes.get_mut(&self.inode), octets.get(..part))
        {
            inode.write(offset, front);
        }
    }

    fn inode<'m>(&self, machine: &'m Machine) -> Result<&'m Inode> {
        machine.inodes.get(&self.inode).ok_or_else(|| gone(&self.path))
    }
}

pub(super) fn gone(path: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("{path}: no such file"))
}

pub(super) fn ended() -> Error {
    Error::other("this process has ended")
}

impl SpoolFile for SimFile {
    fn write_all_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> Result<()> {
        let mut machine = self.fs.machine()?;
        if self.mode == OpenMode::Read {
            return Err(Error::new(ErrorKind::PermissionDenied, "opened to read"));
        }
        let octets: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let start = usize::try_from(offset).map_err(Error::other)?;
        match machine.begin(OpKind::Write) {
            Verdict::Run => {}
            Verdict::Fail(error) => {
                self.write_part(&mut machine, start, &octets);
                return Err(error);
            }
            Verdict::Crash => {
                self.write_part(&mut machine, start, &octets);
                return Err(ended());
            }
        }
        let length = self.inode(&machine)?.cached.len();
        let grows = start.saturating_add(octets.len()).saturating_sub(length);
        let after = machine.octets().saturating_add(u64::try_from(grows).unwrap_or(u64::MAX));
        if grows > 0 && machine.octets_max.is_some_and(|max| after > max) {
            return Err(Error::new(ErrorKind::StorageFull, "no space left on device"));
        }
        let inode = machine.inodes.get_mut(&self.inode).ok_or_else(|| gone(&self.path))?;
        inode.write(start, &octets);
        Ok(())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let machine = self.fs.machine()?;
        let cached = &self.inode(&machine)?.cached;
        let start = usize::try_from(offset).map_err(Error::other)?;
        let rest = cached.get(start..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn fdatasync(&self) -> Result<()> {
        let mut guard = self.fs.machine()?;
        let machine = &mut *guard;
        let verdict = machine.begin(OpKind::Fdatasync);
        let fails = machine.sync_fails.contains(&machine.counts.fdatasync);
        let lies = machine.fdatasync_lies;
        let inode = machine.inodes.get_mut(&self.inode).ok_or_else(|| gone(&self.path))?;
        match verdict {
            Verdict::Crash => {
                inode.sync_partly(&mut machine.rng);
                Err(ended())
            }
            Verdict::Fail(error) => {
                inode.sync_failing(&mut machine.rng);
                Err(error)
            }
            Verdict::Run if fails => {
                inode.sync_failing(&mut machine.rng);
                Err(Error::other("input/output error"))
            }
            Verdict::Run if lies => Ok(()),
            Verdict::Run => {
                inode.sync();
                Ok(())
            }
        }
    }

    fn len(&self) -> Result<u64> {
        let machine = self.fs.machine()?;
        u64::try_from(self.inode(&machine)?.cached.len()).map_err(Error::other)
    }
}
