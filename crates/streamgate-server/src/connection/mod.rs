//! Connections: accepting them, their socket with its timeouts, and what is true of a request
//! whatever its path is.
//!
//! What is *not* here: which endpoint answers ([`crate::routing`]).

mod date;
mod delivery;
mod heads;
mod in_flight;
mod peers;
mod serve;
mod socket;
pub(crate) mod stall;
mod tls;

pub use date::prepare_thread;
pub use serve::{Stopped, serve};
pub use tls::{Tls, TlsCredentials, TlsFile, TlsFileError, TlsFiles, certificates_in_pem};
