//! Connections to one server, whatever is sent on them.
//!
//! A [`ConnectionPool`] holds some [`SupervisedConnection`]s to one [`Target`]. A supervisor task
//! per connection makes it anew when it breaks; calls borrow the [`LiveConnection`] of the moment.
//!
//! What is *not* here: which server has a key; `topology/` knows.

mod backoff;
mod certificates;
mod connector;
mod pool;
mod sentinel;
mod supervised;
mod target;
mod timeout;

pub(crate) use backoff::{Backoff, random_below};
pub use certificates::{CertificateError, Certificates, CurrentCertificates};
pub(crate) use connector::Connector;
pub(crate) use pool::ConnectionPool;
pub(crate) use sentinel::Sentinels;
pub(crate) use supervised::LiveConnection;
pub(crate) use target::{Target, listed};
pub(crate) use timeout::{query, too_late, within};
