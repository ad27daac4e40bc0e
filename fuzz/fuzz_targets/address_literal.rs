//! Gives [`transom_fuzz::address_literal`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::address_literal(octets));
