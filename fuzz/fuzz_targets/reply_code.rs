//! Gives [`transom_fuzz::reply_code`] to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| transom_fuzz::reply_code(octets));
