//! Mail coming in: listeners, and one task a session.

mod authentication;
mod listener;
mod reception;
mod session;

pub(crate) use authentication::Authentication;
pub(crate) use listener::{Connections, Listener, bind};
