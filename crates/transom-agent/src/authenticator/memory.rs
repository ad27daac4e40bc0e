//! An authenticator of users that are given when the program starts.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use transom_types::scram::{ScramVerifier, ScramVerifierError};
use transom_types::{Principal, PrincipalError, Secret};

use super::{AuthenticationAnswer, Authenticator, PasswordQuestion, Questions, ScramAnswer};

/// Users with passwords, in memory. Of a password only a SCRAM verifier is kept.
///
/// Names are compared to the letter, and nobody may act as somebody else.
///
/// ```
/// use transom_agent::MemoryAuthenticator;
/// use transom_types::Secret;
///
/// let key = Secret::new(*b"random octets, the same at each start");
/// let users = MemoryAuthenticator::new(key).with_user("alice", &Secret::new(*b"pw"), b"salt")?;
/// assert_eq!(format!("{users:?}"), "MemoryAuthenticator { users: 1, .. }");
/// # Ok::<(), transom_agent::MemoryAuthenticatorError>(())
/// ```
#[derive(Clone)]
pub struct MemoryAuthenticator {
    users: HashMap<String, (ScramVerifier, Principal)>,
    decoy_key: Secret,
}

impl MemoryAuthenticator {
    /// Without users. From `decoy_key` comes what a password of nobody is checked against, so that
    /// it takes as long as any other.
    pub fn new(decoy_key: Secret) -> Self {
        Self { users: HashMap::new(), decoy_key }
    }

    /// Adds a user, in place of one of the same name. `salt` is random octets of this user's; give
    /// 16, as many as users have that do not exist.
    ///
    /// # Errors
    ///
    /// The name is no name, or the salt is empty or too long.
    pub fn with_user(
        mut self,
        name: &str,
        password: &Secret,
        salt: &[u8],
    ) -> Result<Self, MemoryAuthenticatorError> {
        let principal = Principal::new(name)?;
        let iterations = ScramVerifier::ITERATIONS_DEFAULT;
        let verifier = ScramVerifier::derive(password, salt, iterations)?;
        self.users.insert(name.to_owned(), (verifier, principal));
        Ok(self)
    }
}

#[async_trait]
impl Authenticator for MemoryAuthenticator {
    fn answers(&self) -> Questions {
        Questions::default().with_scram_verifier(true)
    }

    async fn password(&self, question: PasswordQuestion<'_>) -> AuthenticationAnswer {
        let known = self.users.get(question.user);
        let decoy = ScramVerifier::decoy(&self.decoy_key, question.user);
        let verifier = known.map_or(&decoy, |(verifier, _)| verifier);
        let right = verifier.matches_password(question.password);
        match known {
            Some((_, principal)) if right && may_act(principal, question.acting_as) => {
                AuthenticationAnswer::Known(principal.clone())
            }
            _ => AuthenticationAnswer::Denied,
        }
    }

    async fn scram_verifier(&self, user: &str, acting_as: Option<&str>) -> ScramAnswer {
        match self.users.get(user) {
            Some((verifier, principal)) if may_act(principal, acting_as) => {
                ScramAnswer::Known(verifier.clone(), principal.clone())
            }
            _ => ScramAnswer::Unknown,
        }
    }
}

fn may_act(principal: &Principal, acting_as: Option<&str>) -> bool {
    acting_as.is_none_or(|name| name == principal.as_str())
}

impl fmt::Debug for MemoryAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryAuthenticator")
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}

/// Why a user cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryAuthenticatorError {
    /// Its name.
    #[error("the name is no user's")]
    Name(#[from] PrincipalError),
    /// Its salt.
    #[error("no verifier can be made of the password")]
    Verifier(#[from] ScramVerifierError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> MemoryAuthenticator {
        let users = MemoryAuthenticator::new(Secret::new(*b"key"));
        users.with_user("alice", &Secret::new(*b"pencil"), &[7; 16]).unwrap()
    }

    fn alice() -> Principal {
        Principal::new("alice").unwrap()
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("it waits for nothing"),
        }
    }

    #[test]
    fn only_the_right_password_of_the_right_user_is_known() {
        let users = users();
        let ask = |user: &str, password: &str, acting_as: Option<&str>| {
            let password = Secret::new(password.as_bytes());
            let question = PasswordQuestion::new(user, &password).with_acting_as(acting_as);
            now(users.password(question))
        };
        assert_eq!(ask("alice", "pencil", None), AuthenticationAnswer::Known(alice()));
        assert_eq!(ask("alice", "pencil", Some("alice")), AuthenticationAnswer::Known(alice()));
        for (user, password, acting_as) in [
            ("alice", "pencils", None),
            ("alice", "", None),
            ("Alice", "pencil", None),
            ("bob", "pencil", None),
            ("alice", "pencil", Some("bob")),
        ] {
            let answer = ask(user, password, acting_as);
            assert_eq!(answer, AuthenticationAnswer::Denied, "{user} {password} {acting_as:?}");
        }
    }

    #[test]
    fn verifier_is_of_the_user_and_for_itself_alone() {
        let users = users();
        let ScramAnswer::Known(verifier, principal) = now(users.scram_verifier("alice", None))
        else {
            panic!("alice is known");
        };
        assert!(verifier.matches_password(&Secret::new(*b"pencil")));
        assert_eq!(principal, alice());
        for (user, acting_as) in [("bob", None), ("alice", Some("bob"))] {
            let answer = now(users.scram_verifier(user, acting_as));
            assert!(matches!(answer, ScramAnswer::Unknown), "{user} {acting_as:?}");
        }
    }

    #[test]
    fn what_it_does_not_know_is_denied() {
        let users = users();
        let token = Secret::new(*b"t0ken");
        assert_eq!(now(users.token(Some("alice"), &token)), AuthenticationAnswer::Denied);
        assert_eq!(now(users.external("alice", None)), AuthenticationAnswer::Denied);
    }

    #[test]
    fn users_without_name_or_salt_are_refused_and_nothing_is_printed() {
        let password = Secret::new(*b"pencil");
        let add = |name, salt: &[u8]| users().with_user(name, &password, salt).map(|_| ());
        assert!(matches!(add("", b"salt"), Err(MemoryAuthenticatorError::Name(_))));
        assert!(matches!(add("a\nb", b"salt"), Err(MemoryAuthenticatorError::Name(_))));
        assert!(matches!(add("bob", b""), Err(MemoryAuthenticatorError::Verifier(_))));
        let answer = now(users().scram_verifier("alice", None));
        assert_eq!(format!("{answer:?}"), "Known(\"alice\")");
    }

    fn assert_object_safe(_: &dyn Authenticator) {}

    #[test]
    fn trait_may_be_kept_behind_a_pointer() {
        assert_object_safe(&users());
    }
}
