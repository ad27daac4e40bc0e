//! Which mechanisms a server offers, and when.

use std::sync::Arc;

#[cfg(feature = "scram")]
use transom_types::Secret;

use super::{Channel, External, Login, OauthBearer, Plain, ServerMechanism, XOauth2};

/// The mechanisms that a server offers, strongest first, and when it does.
///
/// ```
/// use transom_smtp::sasl::{AuthOffer, Channel};
///
/// let offer = AuthOffer::default().with_passwords();
/// assert_eq!(offer.names(true, &Channel::default()), ["PLAIN", "LOGIN"]);
/// assert!(offer.names(false, &Channel::default()).is_empty());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AuthOffer {
    /// The mechanisms, in the order in which EHLO names them.
    pub mechanisms: Vec<Arc<dyn ServerMechanism>>,
    /// Whether mechanisms that reveal no secret are offered before TLS (no: who reads along can
    /// still try passwords at home).
    pub before_tls: bool,
    /// Whether mechanisms that reveal the password are offered before TLS (no).
    pub danger_offer_plaintext_auth_without_tls: bool,
}

/// Equal are offers of the same names at the same time.
impl PartialEq for AuthOffer {
    fn eq(&self, other: &Self) -> bool {
        let names = |offer: &Self| -> Vec<_> {
            offer.mechanisms.iter().map(|mechanism| mechanism.name()).collect()
        };
        let (danger, other_danger) = (
            self.danger_offer_plaintext_auth_without_tls,
            other.danger_offer_plaintext_auth_without_tls,
        );
        (self.before_tls, danger) == (other.before_tls, other_danger) && names(self) == names(other)
    }
}

impl Eq for AuthOffer {}

impl AuthOffer {
    /// Adds SCRAM-SHA-256 and SCRAM-SHA-256-PLUS. From `decoy_key` the salts of users who do not
    /// exist are made: all servers under one name should have the same, and keep it.
    #[cfg(feature = "scram")]
    #[cfg_attr(docsrs, doc(cfg(feature = "scram")))]
    #[must_use]
    pub fn with_scram(self, decoy_key: &Secret) -> Self {
        self.with_mechanism(Arc::new(super::ScramSha256::plus(decoy_key.clone())))
            .with_mechanism(Arc::new(super::ScramSha256::new(decoy_key.clone())))
    }

    /// Adds OAUTHBEARER and XOAUTH2.
    #[must_use]
    pub fn with_tokens(self) -> Self {
        self.with_mechanism(Arc::new(OauthBearer)).with_mechanism(Arc::new(XOauth2))
    }

    /// Adds PLAIN and LOGIN.
    #[must_use]
    pub fn with_passwords(self) -> Self {
        self.with_mechanism(Arc::new(Plain)).with_mechanism(Arc::new(Login))
    }

    /// Adds EXTERNAL.
    #[must_use]
    pub fn with_external(self) -> Self {
        self.with_mechanism(Arc::new(External))
    }

    /// Adds a mechanism behind those that are there.
    #[must_use]
    pub fn with_mechanism(mut self, mechanism: Arc<dyn ServerMechanism>) -> Self {
        self.mechanisms.push(mechanism);
        self
    }

    /// Sets whether mechanisms that reveal no secret are offered before TLS.
    #[must_use]
    pub fn with_before_tls(self, before_tls: bool) -> Self {
        Self { before_tls, ..self }
    }

    /// Sets whether passwords may come in the clear. Whoever reads along has them then.
    #[must_use]
    pub fn danger_offer_plaintext_auth_without_tls(self, offer: bool) -> Self {
        Self { danger_offer_plaintext_auth_without_tls: offer, ..self }
    }

    /// The names of what is offered in this state of a session.
    pub fn names(&self, is_secure: bool, channel: &Channel) -> Vec<&'static str> {
        let offered = self.mechanisms.iter().filter(|mechanism| {
            mechanism.is_possible(channel) && self.may_use(mechanism.as_ref(), is_secure)
        });
        offered.map(|mechanism| mechanism.name()).collect()
    }

    /// Whether the mechanism may be used at this moment, as far as TLS decides.
    pub(crate) fn may_use(&self, mechanism: &dyn ServerMechanism, is_secure: bool) -> bool {
        // [RFC 4954 §4-s, §9-b] what can be listened to waits for TLS.
        // [RFC 5802 §9-a] SCRAM as well, unless somebody decided otherwise.
        is_secure
            || self.danger_offer_plaintext_auth_without_tls
            || (self.before_tls && !mechanism.reveals_secret())
    }

    /// The mechanism of this name, offered now or not.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<dyn ServerMechanism>> {
        // [RFC 4954 §8-a] names are compared without regard to case.
        self.mechanisms.iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}
