//! Gives [`transom_fuzz::spool_records`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::spool_records(octets));
