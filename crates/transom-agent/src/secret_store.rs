//! Where passwords come from that this server shows to others.

use std::collections::HashMap;

use async_trait::async_trait;
use transom_types::Secret;

/// Knows the secrets that a configuration names, so that no password stands in it. Asked for each
/// session that needs one: a secret may change while the transport runs.
///
/// ```
/// use transom_agent::{MemorySecrets, SecretStore};
/// use transom_types::Secret;
///
/// let store = MemorySecrets::default().with_secret("fabrikam", Secret::new(*b"hunter2"));
/// assert_eq!(format!("{store:?}"), r#"MemorySecrets({"fabrikam": Secret(..)})"#);
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// assert_eq!(store.secret("fabrikam").await, Ok(Secret::new(*b"hunter2")));
/// assert!(store.secret("contoso").await.is_err());
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cancel safety
///
/// Every future may be dropped at any await; nothing depends on its end.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// The secret of that name.
    ///
    /// # Errors
    ///
    /// Where there is none, or the store cannot be asked now. Mail waits, in both cases.
    async fn secret(&self, name: &str) -> Result<Secret, SecretUnavailable>;
}

/// A secret cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret \"{name}\" cannot be had: {reason}")]
#[expect(clippy::exhaustive_structs, reason = "a name and a reason")]
pub struct SecretUnavailable {
    /// Its name.
    pub name: String,
    /// Why not, for logs.
    pub reason: String,
}

/// Secrets that the program has read from somewhere.
#[derive(Clone, Debug, Default)]
pub struct MemorySecrets(HashMap<String, Secret>);

impl MemorySecrets {
    /// The same with one secret more, or another one under that name.
    #[must_use]
    pub fn with_secret(mut self, name: &str, secret: Secret) -> Self {
        self.0.insert(name.to_owned(), secret);
        self
    }
}

#[async_trait]
impl SecretStore for MemorySecrets {
    async fn secret(&self, name: &str) -> Result<Secret, SecretUnavailable> {
        let missing =
            || SecretUnavailable { name: name.to_owned(), reason: "nobody has said it".to_owned() };
        self.0.get(name).cloned().ok_or_else(missing)
    }
}
