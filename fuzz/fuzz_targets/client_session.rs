//! Gives [`transom_fuzz::client_session`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::client_session(octets));
