//! Gives [`transom_fuzz::xtext`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::xtext(octets));
