//! The server session from outside: dialogs, attacks, and the matrix of states and commands.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod dialogs;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lmtp;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod xclient;
