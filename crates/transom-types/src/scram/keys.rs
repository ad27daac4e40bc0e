//! The computations of RFC 5802 §3 with SHA-256.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{ScramVerifier, ScramVerifierError, check};
use crate::Secret;

type Key = [u8; 32];

impl ScramVerifier {
    /// Makes the verifier of a password. Takes as long as the iterations cost.
    ///
    /// The password is taken as it is: a caller that must accept several spellings of the same
    /// characters prepares it first (RFC 5802 §2.2).
    ///
    /// # Errors
    ///
    /// The salt or the number of iterations is out of bounds.
    pub fn derive(
        password: &Secret,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, ScramVerifierError> {
        Ok(ScramKeys::derive(password, salt, iterations)?.verifier(salt, iterations))
    }

    /// A verifier for a user who does not exist: the same for the same name, without a password
    /// that fits. So the peer is led through the same steps as with any user, and learns nothing.
    ///
    /// The salt is as long as one of 16 octets, and the iterations are
    /// [`ITERATIONS_DEFAULT`](Self::ITERATIONS_DEFAULT): verifiers that look otherwise tell the
    /// users that exist from those that do not.
    pub fn decoy(secret: &Secret, user: &str) -> Self {
        let key: Key = Sha256::digest(secret.expose()).into();
        let part = |name: &[u8]| hmac(&key, &[name, user.as_bytes()]);
        let salt = part(b"decoy salt:");
        Self {
            salt: salt.get(..16).unwrap_or(&salt).into(),
            iterations: Self::ITERATIONS_DEFAULT,
            stored_key: Zeroizing::new(part(b"decoy stored key:")),
            server_key: Zeroizing::new(part(b"decoy server key:")),
        }
    }

    /// Whether this is the verifier of `password`. Takes as long as the iterations cost, and as
    /// long for a wrong password as for the right one.
    pub fn matches_password(&self, password: &Secret) -> bool {
        let keys = ScramKeys::from_checked(password, &self.salt, self.iterations);
        let stored = Zeroizing::new(Key::from(Sha256::digest(keys.client_key)));
        stored.ct_eq(&*self.stored_key).into()
    }

    /// Whether `proof` proves the password in an exchange of these messages.
    pub fn accepts_proof(&self, auth_message: &[u8], proof: &[u8]) -> bool {
        let Ok(proof) = <&Key>::try_from(proof) else { return false };
        let signature = hmac(&self.stored_key, &[auth_message]);
        let client_key = Zeroizing::new(xor(&signature, proof));
        let stored: Key = Sha256::digest(*client_key).into();
        stored.ct_eq(&*self.stored_key).into()
    }

    /// What proves to the client that the server knows it.
    pub fn server_signature(&self, auth_message: &[u8]) -> [u8; 32] {
        hmac(&self.server_key, &[auth_message])
    }
}

/// What a client computes from the password and the server's salt.
pub struct ScramKeys {
    client_key: Key,
    server_key: Key,
}

impl ScramKeys {
    /// Hashes the password. Takes as long as the iterations cost.
    ///
    /// # Errors
    ///
    /// The salt or the number of iterations is out of bounds.
    pub fn derive(
        password: &Secret,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, ScramVerifierError> {
        check(salt, iterations)?;
        Ok(Self::from_checked(password, salt, iterations))
    }

    /// What proves the password in an exchange of these messages.
    pub fn client_proof(&self, auth_message: &[u8]) -> [u8; 32] {
        let stored = Zeroizing::new(Key::from(Sha256::digest(self.client_key)));
        xor(&self.client_key, &hmac(&stored, &[auth_message]))
    }

    /// Whether `signature` proves that the server knows the password's verifier.
    pub fn accepts_signature(&self, auth_message: &[u8], signature: &[u8]) -> bool {
        hmac(&self.server_key, &[auth_message]).ct_eq(signature).into()
    }

    fn from_checked(password: &Secret, salt: &[u8], iterations: u32) -> Self {
        let mut salted = Zeroizing::new([0u8; 32]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password.expose(), salt, iterations, &mut *salted);
        Self {
            client_key: hmac(&salted, &[b"Client Key"]),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    fn verifier(&self, salt: &[u8], iterations: u32) -> ScramVerifier {
        ScramVerifier {
            salt: salt.into(),
            iterations,
            stored_key: Zeroizing::new(Sha256::digest(self.client_key).into()),
            server_key: Zeroizing::new(self.server_key),
        }
    }
}

impl Drop for ScramKeys {
    fn drop(&mut self) {
        self.client_key.zeroize();
        self.server_key.zeroize();
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(..)")
    }
}

/// HMAC-SHA-256 of the parts, one behind the other.
fn hmac(key: &Key, parts: &[&[u8]]) -> Key {
    // [RFC 2104 §2] a key shorter than the block is filled up with zeros.
    let mut block = Zeroizing::new([0u8; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&(*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn xor(a: &Key, b: &Key) -> Key {
    let mut both = *a;
    both.iter_mut().zip(b).for_each(|(to, from)| *to ^= from);
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes())
    }

    #[test]
    fn only_the_password_matches_its_verifier() {
        let verifier = ScramVerifier::derive(&secret("pencil"), b"salt", 4096).unwrap();
        assert!(verifier.matches_password(&secret("pencil")));
        for wrong in ["", "pencil ", "Pencil", "penci"] {
            assert!(!verifier.matches_password(&secret(wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn proof_counts_for_its_own_exchange_and_no_other() {
        let keys = ScramKeys::derive(&secret("pencil"), b"salt", 4096).unwrap();
        let verifier = keys.verifier(b"salt", 4096);
        let proof = keys.client_proof(b"messages");
        assert!(verifier.accepts_proof(b"messages", &proof));
        assert!(!verifier.accepts_proof(b"other messages", &proof));
        assert!(!verifier.accepts_proof(b"messages", proof.get(..31).unwrap()));
        assert!(!verifier.accepts_proof(b"messages", &[0; 32]));
        assert!(keys.accepts_signature(b"messages", &verifier.server_signature(b"messages")));
        assert!(!keys.accepts_signature(b"messages", &verifier.server_signature(b"other")));
        assert!(!keys.accepts_signature(b"messages", b""));
    }

    #[test]
    fn decoy_is_the_same_for_a_name_and_takes_no_password() {
        let decoy = ScramVerifier::decoy(&secret("key"), "nobody");
        let again = ScramVerifier::decoy(&secret("key"), "nobody");
        let other = ScramVerifier::decoy(&secret("key"), "somebody");
        let elsewhere = ScramVerifier::decoy(&secret("another key"), "nobody");
        assert_eq!(decoy.salt(), again.salt());
        assert_ne!(decoy.salt(), other.salt());
        assert_ne!(decoy.salt(), elsewhere.salt());
        assert_eq!(decoy.salt().len(), 16);
        assert!(!decoy.matches_password(&secret("")));
    }

    // [RFC 7677 §4-a] test
    #[test]
    fn iterations_and_salts_out_of_bounds_are_refused() {
        let derive =
            |salt: &[u8], iterations| ScramKeys::derive(&secret("x"), salt, iterations).map(|_| ());
        for iterations in [0, 1, 4095, 600_001, u32::MAX] {
            let wrong = ScramVerifierError::Iterations { iterations };
            assert_eq!(derive(b"salt", iterations), Err(wrong));
        }
        assert_eq!(derive(b"", 4096), Err(ScramVerifierError::Salt { octets: 0 }));
        assert_eq!(derive(&[7; 49], 4096), Err(ScramVerifierError::Salt { octets: 49 }));
    }

    #[test]
    fn no_key_is_printed() {
        let keys = ScramKeys::derive(&secret("pencil"), b"salt", 4096).unwrap();
        assert_eq!(format!("{keys:?}"), "ScramKeys(..)");
        let verifier = format!("{:?}", keys.verifier(b"salt", 4096));
        assert_eq!(verifier, "ScramVerifier { iterations: 4096, .. }");
    }
}
