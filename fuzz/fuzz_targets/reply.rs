//! Gives [`transom_fuzz::reply`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::reply(octets));
