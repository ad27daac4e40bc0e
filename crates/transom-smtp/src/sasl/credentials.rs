//! What a client logs in with.

use std::fmt;
use std::sync::Arc;

use transom_types::{Principal, Secret};

use super::bearer::{BearerClient, Dialect};
use super::external::ExternalClient;
use super::login::LoginClient;
use super::plain::PlainClient;
use super::{ClientContext, ClientMechanism};

/// What a client logs in with: mechanisms with their secrets, strongest first. The first one that
/// the server offers is used; another is not tried when it fails, as that would let the server
/// choose the weakest.
///
/// ```
/// use transom_smtp::sasl::Credentials;
/// use transom_types::{Principal, Secret};
///
/// let credentials = Credentials::password(Principal::new("relay")?, Secret::new(*b"hunter2"));
/// assert!(!format!("{credentials:?}").contains("hunter2"));
/// # Ok::<(), transom_types::PrincipalError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Credentials {
    /// The mechanisms, in the order of preference.
    pub mechanisms: Vec<Arc<dyn ClientMechanism>>,
    /// Whether they are used without TLS (no).
    pub danger_use_without_tls: bool,
}

impl Credentials {
    /// A user and a password: SCRAM with the feature `scram`, then PLAIN, then LOGIN.
    pub fn password(user: Principal, password: Secret) -> Self {
        let mut mechanisms: Vec<Arc<dyn ClientMechanism>> = Vec::new();
        #[cfg(feature = "scram")]
        for plus in [true, false] {
            let (user, password) = (user.clone(), password.clone());
            mechanisms.push(Arc::new(super::scram::ScramClient { user, password, plus }));
        }
        let plain = PlainClient { user: user.clone(), password: password.clone() };
        mechanisms.push(Arc::new(plain));
        mechanisms.push(Arc::new(LoginClient { user, password, asked: 0 }));
        Self { mechanisms, danger_use_without_tls: false }
    }

    /// A token that somebody gave out to this user: OAUTHBEARER, then XOAUTH2.
    pub fn token(user: Principal, token: Secret) -> Self {
        let standard = BearerClient { dialect: Dialect::OauthBearer, user, token };
        let older = BearerClient { dialect: Dialect::XOauth2, ..standard.clone() };
        Self {
            mechanisms: vec![Arc::new(standard), Arc::new(older)],
            danger_use_without_tls: false,
        }
    }

    /// The certificate of the TLS layer: EXTERNAL.
    pub fn external() -> Self {
        Self { mechanisms: vec![Arc::new(ExternalClient)], danger_use_without_tls: false }
    }

    /// A mechanism of the host program's own, and no other.
    pub fn mechanism(mechanism: Arc<dyn ClientMechanism>) -> Self {
        Self { mechanisms: vec![mechanism], danger_use_without_tls: false }
    }

    /// Adds a mechanism that is used where the server offers none of the others.
    #[must_use]
    pub fn with_mechanism(mut self, mechanism: Arc<dyn ClientMechanism>) -> Self {
        self.mechanisms.push(mechanism);
        self
    }

    /// Sets whether the credentials go out without TLS. Whoever reads along has them then.
    #[must_use]
    pub fn danger_use_without_tls(self, use_them: bool) -> Self {
        Self { danger_use_without_tls: use_them, ..self }
    }

    /// The first mechanism that is possible here and that the server offers.
    pub(crate) fn choose(&self, context: &ClientContext<'_>) -> Option<&dyn ClientMechanism> {
        let offers = |name: &str| context.offered.iter().any(|has| has.eq_ignore_ascii_case(name));
        let mut usable = self.mechanisms.iter().map(AsRef::as_ref);
        usable.find(|mechanism| offers(mechanism.name()) && mechanism.is_possible(context))
    }

    fn names(&self) -> Vec<&'static str> {
        self.mechanisms.iter().map(|mechanism| mechanism.name()).collect()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("mechanisms", &self.names()).finish_non_exhaustive()
    }
}

/// Equal are the same credentials, not others that say the same.
impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        let pairs = || self.mechanisms.iter().zip(&other.mechanisms);
        self.danger_use_without_tls == other.danger_use_without_tls
            && self.mechanisms.len() == other.mechanisms.len()
            && pairs().all(|(one, two)| Arc::ptr_eq(one, two))
    }
}

impl Eq for Credentials {}
