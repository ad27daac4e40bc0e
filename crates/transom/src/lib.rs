//! The mail transport that Rust programs embed.
