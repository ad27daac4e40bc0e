//! Gives [`transom_fuzz::proxy_header`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::proxy_header(octets));
