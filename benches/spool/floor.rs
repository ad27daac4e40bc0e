//! No store: the same octets, appended to a file in batches, with fdatasync after each.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Fault;
use crate::cell::{Cell, Sent};
use crate::group::BATCH_OCTETS_MAX;

const NAME: &str = "floor";

pub(crate) fn run(cell: &Cell<'_>, folder: &Path) -> Result<(Sent, Duration, u64), Fault> {
    let mut file = File::create_new(folder.join(NAME))?;
    File::open(folder)?.sync_all()?;
    let each = cell.producers.min(BATCH_OCTETS_MAX / cell.mail.octets()).max(1) as u64;
    let (schedule, mut sent, mut syncs) = (cell.schedule(), Sent::default(), 0);
    let (mut batch, mut next) = (Vec::new(), 0);
    while next + each <= cell.messages_max() {
        let began = Instant::now();
        if schedule.is_over(began) {
            break;
        }
        batch.clear();
        for number in next..next + each {
            let message = cell.mail.get(number)?;
            batch.extend_from_slice(&message.envelope);
            batch.extend_from_slice(&message.body);
        }
        file.write_all(&batch)?;
        file.sync_data()?;
        syncs += 1;
        next += each;
        (0..each).for_each(|_| sent.add(schedule, began));
    }
    Ok((sent, schedule.warm().elapsed(), syncs))
}

pub(crate) fn count(folder: &Path, octets: usize) -> Result<u64, Fault> {
    Ok(std::fs::metadata(folder.join(NAME))?.len() / octets as u64)
}
