//! Mail coming in: listeners, and one task a session.

mod authentication;
mod front_end;
mod listener;
mod places;
mod reception;
mod session;

pub(crate) use authentication::Authentication;
pub(crate) use listener::{Listener, bind};
pub(crate) use places::Places;
