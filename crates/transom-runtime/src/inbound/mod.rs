//! Mail coming in: listeners, and one task a session.

mod listener;
mod reception;
mod session;

pub(crate) use listener::{Connections, Listener, bind};
