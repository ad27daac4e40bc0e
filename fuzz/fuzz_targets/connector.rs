//! Gives [`transom_fuzz::connector`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::connector(octets));
