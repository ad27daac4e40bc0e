//! Gives [`transom_fuzz::domain`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::domain(octets));
