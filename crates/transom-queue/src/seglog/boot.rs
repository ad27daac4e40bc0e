//! The Boot record: what counts of all older segments.

use super::fields::{Fields, Malformed, put_field, put_flag, put_number, put_text};
use super::frame::{u32_at, u64_at};

const EPOCH: u8 = 1;
const CLEAN: u8 = 2;
const MACHINE: u8 = 3;
const END: u8 = 4;

/// Stands first in the first segment of every boot. Older segments count below their end here;
/// what lies at or behind it, and segments that are not named, is void for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BootRecord {
    pub(super) epoch: u32,
    /// Whether the boot before ended with a Stop.
    pub(super) clean: bool,
    /// The text that names this boot of the machine.
    pub(super) machine: String,
    pub(super) ends: Vec<(u32, u64)>,
}

impl BootRecord {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_number(out, EPOCH, self.epoch.into());
        put_flag(out, CLEAN, self.clean);
        put_text(out, MACHINE, Some(&self.machine));
        for (segment, end) in &self.ends {
            put_field(out, END, |out| {
                out.extend_from_slice(&segment.to_le_bytes());
                out.extend_from_slice(&end.to_le_bytes());
            });
        }
    }

    pub(super) fn read(record: &[u8]) -> Result<Self, Malformed> {
        let mut boot = Self { epoch: 0, clean: false, machine: String::new(), ends: Vec::new() };
        let mut fields = Fields::new(record);
        while let Some(field) = fields.next()? {
            match field.tag {
                EPOCH => boot.epoch = field.number_u32()?,
                CLEAN => boot.clean = true,
                MACHINE => boot.machine = field.string()?,
                END => {
                    let end = u32_at(field.value, 0).zip(u64_at(field.value, 4));
                    boot.ends.push(end.ok_or(Malformed("an end without segment"))?);
                }
                _ => {}
            }
        }
        Ok(boot)
    }
}
