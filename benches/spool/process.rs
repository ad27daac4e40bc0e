//! What the system says of this process.

use std::fs;

use crate::{ALLOCATOR, Fault};

/// Octets given to `write` so far. (`write_bytes` beside it counts whole folios of the page cache
/// on newer kernels.)
pub(crate) fn written() -> Result<u64, Fault> {
    field("/proc/self/io", "wchar:")
}

/// Most octets of memory that were ever in use.
pub(crate) fn peak() -> Result<u64, Fault> {
    Ok(field("/proc/self/status", "VmHWM:")? << 10)
}

/// Octets of the heap that are taken.
pub(crate) fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn field(path: &str, name: &str) -> Result<u64, Fault> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("{path} has no {name}"))?.parse()?)
}
