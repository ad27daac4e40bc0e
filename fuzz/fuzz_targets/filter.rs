//! Gives [`transom_fuzz::filter`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::filter(octets));
