//! Gives [`transom_fuzz::header_section`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::header_section(octets));
