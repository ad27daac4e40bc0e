//! What Linux says of processes and disks.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Linux reports CPU time in hundredths of a second, whatever its timer does.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process, of its children, and of those that it waited for.
pub fn cpu_time(pid: u32) -> Duration {
    let mut ticks = 0u32;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(own) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Some(stat) = Stat::read(own) else { continue };
        if own == pid {
            ticks = ticks.saturating_add(stat.own).saturating_add(stat.waited_for);
        } else if stat.parent == pid {
            ticks = ticks.saturating_add(stat.own);
        }
    }
    TICK.saturating_mul(ticks)
}

struct Stat {
    parent: u32,
    own: u32,
    waited_for: u32,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything, so the fields are counted behind it.
        let (_, fields) = text.rsplit_once(") ")?;
        let field = |number: usize| fields.split(' ').nth(number)?.parse::<u32>().ok();
        let sum = |a: usize, b: usize| Some(field(a)?.saturating_add(field(b)?));
        Some(Self { parent: field(1)?, own: sum(11, 12)?, waited_for: sum(13, 14)? })
    }
}

/// The median of 200 times writing 4 KiB and fdatasync, in `folder`.
///
/// # Errors
///
/// The folder cannot be written.
pub fn fdatasync_p50(folder: &Path) -> io::Result<Duration> {
    let path = folder.join("fdatasync-probe");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(200);
    for _ in 0..200 {
        file.write_all(&[0x55; 4096])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}
