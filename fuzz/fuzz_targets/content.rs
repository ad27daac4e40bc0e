//! Gives [`transom_fuzz::content`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::content(octets));
