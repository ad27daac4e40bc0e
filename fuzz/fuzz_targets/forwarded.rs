//! Gives [`transom_fuzz::forwarded`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::forwarded(octets));
