//! Gives [`transom_fuzz::sasl_server`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::sasl_server(octets));
