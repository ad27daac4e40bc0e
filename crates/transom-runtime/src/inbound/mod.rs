//! Mail coming in: listeners, and one task a session.

mod agents;
mod authentication;
mod custody;
mod envelope;
mod front_end;
mod intake;
mod listener;
mod listeners;
mod places;
mod reception;
mod refusal;
mod session;

pub(crate) use authentication::Authentication;
pub(crate) use listeners::Listeners;
