//! Gives [`transom_fuzz::sasl_client`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::sasl_client(octets));
