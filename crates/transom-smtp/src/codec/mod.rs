//! The octets of SMTP as values: commands, replies, EHLO keywords, message content, PROXY headers.
//!
//! What a command may do at which moment is not decided here but in [`server`](crate::server) and
//! [`client`](crate::client).

pub mod data;
pub mod ehlo;
pub mod proxy;
pub mod reply;
pub mod stuffing;

mod command;
#[cfg(test)]
mod tests;

pub use command::{
    Argument, ArgumentError, Command, CommandError, CommandRef, Encoded, ExtensionRegistry,
    ExtensionRegistryError, HelloName, HelloNameError, InitialResponse, InitialResponseError,
    MailParametersRef, MailProtocol, Mechanism, MechanismError, RcptParametersRef, Told, Verb,
    VerbError, XclientAttributes, XforwardAttributes, XforwardSource,
};
