//! What benches over a real socket share: a load generator, servers, and what the system says.

pub mod generator;
pub mod servers;
pub mod system;
