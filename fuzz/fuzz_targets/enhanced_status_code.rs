//! Gives [`transom_fuzz::enhanced_status_code`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::enhanced_status_code(octets));
