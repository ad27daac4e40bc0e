//! One test for each requirement that no other test names. The requirements stand in
//! `tests/rfc/*.toml` at the root; `cargo xtask rfc` tells which test proves which.

#[cfg(test)]
mod auth;
#[cfg(test)]
mod client;
#[cfg(test)]
mod client_transaction;
#[cfg(test)]
mod content;
#[cfg(test)]
mod extensions;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod lmtp;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod server;
#[cfg(test)]
mod values;
