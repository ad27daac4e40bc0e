//! Gives [`transom_fuzz::mailbox`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::mailbox(octets));
