//! The main job, as somebody sees it who starts `examples/transport` and speaks SMTP to it.
//!
//! Each test starts the program on a port that the system chooses, in a folder of its own, and
//! ends it by its process id. The disk under that folder must have room: a transport on a full
//! disk puts new mail off, and `room` says so before a test can fail of it.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests fail by panic, and bound their waits by the clock"
)]

mod bad_input;
mod config;
mod disk;
mod process;
mod relay;
mod samples;
mod smtp;
mod stop;
mod tls;
mod warnings;
