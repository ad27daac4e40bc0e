//! What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677), and, behind the
//! feature `scram`, how it is made and used.
//!
//! The messages of the exchange are not here but in `transom-smtp`.

use std::fmt;

use zeroize::Zeroizing;

#[cfg(feature = "scram")]
mod keys;

#[cfg(feature = "scram")]
pub use keys::ScramKeys;

/// What a server keeps of a password: enough to check it, not enough to log in with.
///
/// `Debug` shows nothing but the number of iterations.
#[derive(Clone)]
pub struct ScramVerifier {
    salt: Box<[u8]>,
    iterations: u32,
    stored_key: Zeroizing<[u8; 32]>,
    server_key: Zeroizing<[u8; 32]>,
}

impl ScramVerifier {
    /// Fewest iterations. [RFC 7677 §4] at least 4,096.
    pub const ITERATIONS_MIN: u32 = 4_096;
    /// Most iterations: what a peer names above it would only burn time.
    pub const ITERATIONS_MAX: u32 = 600_000;
    /// Iterations of verifiers that are made without another wish: some milliseconds.
    pub const ITERATIONS_DEFAULT: u32 = 10_000;
    /// Longest salt, so that it fits into a reply.
    pub const SALT_OCTETS_MAX: usize = 48;

    /// A verifier as it was stored.
    ///
    /// # Errors
    ///
    /// The salt or the number of iterations is out of bounds.
    pub fn new(
        salt: &[u8],
        iterations: u32,
        stored_key: [u8; 32],
        server_key: [u8; 32],
    ) -> Result<Self, ScramVerifierError> {
        check(salt, iterations)?;
        Ok(Self {
            salt: salt.into(),
            iterations,
            stored_key: Zeroizing::new(stored_key),
            server_key: Zeroizing::new(server_key),
        })
    }

    /// What is mixed into the password. Not secret.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// How often the password is hashed.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// `StoredKey`, for the store that keeps this verifier.
    pub fn stored_key(&self) -> &[u8; 32] {
        &self.stored_key
    }

    /// `ServerKey`, for the store that keeps this verifier.
    pub fn server_key(&self) -> &[u8; 32] {
        &self.server_key
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

fn check(salt: &[u8], iterations: u32) -> Result<(), ScramVerifierError> {
    if salt.is_empty() || salt.len() > ScramVerifier::SALT_OCTETS_MAX {
        return Err(ScramVerifierError::Salt { octets: salt.len() });
    }
    if !(ScramVerifier::ITERATIONS_MIN..=ScramVerifier::ITERATIONS_MAX).contains(&iterations) {
        return Err(ScramVerifierError::Iterations { iterations });
    }
    Ok(())
}

/// Why salt and iterations make no verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScramVerifierError {
    /// Fewer than [`ScramVerifier::ITERATIONS_MIN`] or more than
    /// [`ScramVerifier::ITERATIONS_MAX`].
    #[error("{iterations} iterations are out of bounds")]
    Iterations {
        /// How many.
        iterations: u32,
    },
    /// No salt, or more than [`ScramVerifier::SALT_OCTETS_MAX`].
    #[error("a salt of {octets} octets is out of bounds")]
    Salt {
        /// How long it is.
        octets: usize,
    },
}
