//! Placeholder until the runtime stands.
fn main() {}
