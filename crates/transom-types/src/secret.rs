//! What must never be printed.

use std::fmt;

use zeroize::Zeroizing;

/// A password, token or key. `Debug` shows nothing of it, there is no `Display`, and its memory is
/// overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Takes the octets over.
    pub fn new(octets: impl Into<Box<[u8]>>) -> Self {
        Self(Zeroizing::new(octets.into()))
    }

    /// The octets, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
