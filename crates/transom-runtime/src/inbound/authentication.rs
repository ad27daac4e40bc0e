//! The authenticator's answers as the session's verdicts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use transom_agent::{AuthenticationAnswer, Authenticator, PasswordQuestion, ScramAnswer};
use transom_smtp::sasl::{AuthOffer, Nonce, Question, Verdict};
use transom_types::Secret;

use crate::tls::Tls;

/// How long the authenticator may think: longer than any that works, shorter than a client waits.
const AUTHENTICATOR_TIMEOUT: Duration = Duration::from_mins(1);

/// Who knows the users, and what is offered because of that.
pub(crate) struct Authentication {
    authenticator: Arc<dyn Authenticator>,
    offer: AuthOffer,
}

impl Authentication {
    /// Offers what the authenticator can answer.
    pub(crate) fn new(authenticator: Arc<dyn Authenticator>, tls: &Tls) -> Self {
        let answers = authenticator.answers();
        let mut offer = AuthOffer::default();
        // New at each start, so that nobody finds out what the decoys are made from.
        if answers.scram_verifier
            && let Some(key) = tls.random::<32>()
        {
            offer = offer.with_scram(&Secret::new(key));
        }
        if answers.token {
            offer = offer.with_tokens();
        }
        if answers.password {
            offer = offer.with_passwords();
        }
        if answers.external {
            offer = offer.with_external();
        }
        Self { authenticator, offer }
    }

    /// The mechanisms.
    pub(crate) fn offer(&self) -> &AuthOffer {
        &self.offer
    }

    /// Asks. What does not answer in time is not available.
    pub(super) async fn decide(&self, question: Question, tls: &Tls) -> Verdict {
        let verdict = self.ask(question, tls);
        match tokio::time::timeout(AUTHENTICATOR_TIMEOUT, verdict).await {
            Ok(verdict) => verdict,
            Err(_) => unavailable("it does not answer"),
        }
    }

    async fn ask(&self, question: Question, tls: &Tls) -> Verdict {
        let users = &self.authenticator;
        match question {
            Question::Password { user, acting_as, password } => {
                let question =
                    PasswordQuestion::new(&user, &password).with_acting_as(acting_as.as_deref());
                verdict(users.password(question).await)
            }
            Question::Token { user, token } => verdict(users.token(user.as_deref(), &token).await),
            Question::External { identity, acting_as } => {
                verdict(users.external(&identity, acting_as.as_deref()).await)
            }
            Question::ScramVerifier { user, acting_as } => {
                let known = match users.scram_verifier(&user, acting_as.as_deref()).await {
                    ScramAnswer::Known(verifier, principal) => Some((verifier, principal)),
                    ScramAnswer::Unavailable { reason } => return unavailable(&reason),
                    _ => None,
                };
                match tls.random() {
                    Some(octets) => Verdict::Verifier { known, nonce: Nonce::new(octets) },
                    None => unavailable("there are no random octets"),
                }
            }
            _ => Verdict::Denied,
        }
    }
}

fn verdict(answer: AuthenticationAnswer) -> Verdict {
    match answer {
        AuthenticationAnswer::Known(principal) => Verdict::Granted(principal),
        AuthenticationAnswer::Unavailable { reason } => unavailable(&reason),
        _ => Verdict::Denied,
    }
}

fn unavailable(reason: &str) -> Verdict {
    tracing::warn!(reason, "the authenticator cannot answer");
    Verdict::Unavailable
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication").field("offer", &self.offer).finish_non_exhaustive()
    }
}
