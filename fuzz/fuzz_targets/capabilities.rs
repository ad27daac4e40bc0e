//! Gives [`transom_fuzz::capabilities`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::capabilities(octets));
