//! The authenticator: whether a client is who it says. Asked by AUTH, in words that belong to no
//! protocol.

use std::fmt;

use async_trait::async_trait;
use transom_types::scram::ScramVerifier;
use transom_types::{Principal, Secret};

#[cfg(feature = "scram")]
mod memory;

#[cfg(feature = "scram")]
pub use memory::{MemoryAuthenticator, MemoryAuthenticatorError};

/// Knows the users. Each question has a default answer of "no", so an authenticator implements
/// what it can.
///
/// No answer may take longer or shorter because a user exists: who asks could learn the names. The
/// names in questions are what a client says; nobody has checked them.
///
/// ```
/// use transom_agent::{AuthenticationAnswer, Authenticator, PasswordQuestion, async_trait};
/// use transom_types::{Principal, Secret};
///
/// struct OneUser(Principal, Secret);
///
/// #[async_trait]
/// impl Authenticator for OneUser {
///     async fn password(&self, question: PasswordQuestion<'_>) -> AuthenticationAnswer {
///         // `Secret` compares without telling where the difference is.
///         let right = question.password == &self.1;
///         if right && question.user == self.0.as_str() && question.acting_as.is_none() {
///             AuthenticationAnswer::Known(self.0.clone())
///         } else {
///             AuthenticationAnswer::Denied
///         }
///     }
/// }
/// ```
///
/// # Cancel safety
///
/// Every future may be dropped at any await; nothing depends on its end.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Which questions are worth asking: mechanisms that need another one are not offered.
    fn answers(&self) -> Questions {
        Questions::default()
    }

    /// Is this the user's password? For PLAIN and LOGIN.
    async fn password(&self, _question: PasswordQuestion<'_>) -> AuthenticationAnswer {
        AuthenticationAnswer::Denied
    }

    /// What is kept of the user's password for SCRAM? `acting_as` is as whom the client wants to
    /// act, where it says so; only the one who may is known.
    async fn scram_verifier(&self, _user: &str, _acting_as: Option<&str>) -> ScramAnswer {
        ScramAnswer::Unknown
    }

    /// Who is the bearer of this token? For OAUTHBEARER and XOAUTH2. `user` is who the client says
    /// it is, where it says so; a token of somebody else is denied.
    async fn token(&self, _user: Option<&str>, _token: &Secret) -> AuthenticationAnswer {
        AuthenticationAnswer::Denied
    }

    /// Who is behind this identity, which the client's certificate has proved? For EXTERNAL.
    async fn external(&self, _identity: &str, _acting_as: Option<&str>) -> AuthenticationAnswer {
        AuthenticationAnswer::Denied
    }
}

/// Which questions an [`Authenticator`] can answer. [`Default`] is passwords alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, one a question")]
#[non_exhaustive]
pub struct Questions {
    /// [`Authenticator::password`] (yes).
    pub password: bool,
    /// [`Authenticator::scram_verifier`] (no).
    pub scram_verifier: bool,
    /// [`Authenticator::token`] (no).
    pub token: bool,
    /// [`Authenticator::external`] (no).
    pub external: bool,
}

impl Default for Questions {
    fn default() -> Self {
        Self { password: true, scram_verifier: false, token: false, external: false }
    }
}

impl Questions {
    /// Sets whether passwords are checked.
    #[must_use]
    pub fn with_password(self, password: bool) -> Self {
        Self { password, ..self }
    }

    /// Sets whether there are SCRAM verifiers.
    #[must_use]
    pub fn with_scram_verifier(self, scram_verifier: bool) -> Self {
        Self { scram_verifier, ..self }
    }

    /// Sets whether tokens are checked.
    #[must_use]
    pub fn with_token(self, token: bool) -> Self {
        Self { token, ..self }
    }

    /// Sets whether identities of certificates are known.
    #[must_use]
    pub fn with_external(self, external: bool) -> Self {
        Self { external, ..self }
    }
}

/// A user and a password to check.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PasswordQuestion<'a> {
    /// Whose password.
    pub user: &'a str,
    /// As whom the client wants to act, where it says so.
    pub acting_as: Option<&'a str>,
    /// The password.
    pub password: &'a Secret,
}

impl<'a> PasswordQuestion<'a> {
    /// Whether this is the user's password, for the user itself.
    pub fn new(user: &'a str, password: &'a Secret) -> Self {
        Self { user, acting_as: None, password }
    }

    /// The same for somebody else's rights.
    #[must_use]
    pub fn with_acting_as(self, acting_as: Option<&'a str>) -> Self {
        Self { acting_as, ..self }
    }
}

/// Whether somebody is who it says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticationAnswer {
    /// No. The client gets 535.
    Denied,
    /// Yes, and this is who.
    Known(Principal),
    /// The user database cannot be asked now. The client gets 454 and comes back. Never answer
    /// `Denied` then: clients ask their users for another password.
    Unavailable {
        /// Why not, for logs.
        reason: String,
    },
}

/// What is kept of a user's password.
#[derive(Clone)]
#[non_exhaustive]
pub enum ScramAnswer {
    /// This, and this is who the client is when it proves that it knows the password.
    Known(ScramVerifier, Principal),
    /// The user database cannot be asked now.
    Unavailable {
        /// Why not, for logs.
        reason: String,
    },
    /// There is no such user, or it has no verifier.
    Unknown,
}

impl fmt::Debug for ScramAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(_, principal) => f.debug_tuple("Known").field(principal).finish(),
            Self::Unavailable { reason } => {
                f.debug_struct("Unavailable").field("reason", reason).finish()
            }
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}
