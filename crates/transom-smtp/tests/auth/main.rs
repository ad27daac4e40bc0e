//! AUTH from outside: our client against our server, a client against scripted peers, and who a
//! session takes its client for.

#[cfg(test)]
mod client_mechanisms;
#[cfg(test)]
mod client_script;
#[cfg(test)]
mod client_server;
#[cfg(test)]
mod server_session;
