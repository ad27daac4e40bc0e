//! `examples/spool`, as somebody sees it who has a spool that no process has open.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panic, and bound their waits by the clock"
)]

mod damage;
mod export;
mod killed;
#[path = "../main_job/process.rs"]
#[expect(clippy::print_stderr, dead_code, reason = "the main job's tests use the rest")]
mod process;
mod sample;
#[path = "../main_job/smtp.rs"]
mod smtp;
mod tool;
mod unusable;
