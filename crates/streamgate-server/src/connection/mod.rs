//! Connections: accepting them, their socket with its timeouts, and what is true of a request
//! whatever its path is.
//!
//! What is *not* here: which endpoint answers ([`crate::routing`]), and TLS, which a proxy in front
//! terminates.

mod date;
mod heads;
mod in_flight;
mod peers;
mod serve;
pub(crate) mod stall;

pub use serve::{Stopped, serve};
