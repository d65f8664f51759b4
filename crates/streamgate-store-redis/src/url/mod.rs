//! `store.url`: addresses of the servers, their topology, credentials.

mod parse;

use std::fmt;

pub use parse::UrlError;
pub(crate) use parse::parse;

/// A server's host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The topology of the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Servers {
    /// One server.
    Standalone(Address),
    /// A primary with replicas, watched by sentinels.
    Sentinel {
        sentinels: Vec<Address>,
        primary_name: String,
    },
    /// A cluster; these are the servers to ask first.
    Cluster(Vec<Address>),
}

/// A name and a password. Neither is ever shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user of an access control list; `None` for the default one.
    pub user: Option<String>,
    /// The password; `None` if the server needs none.
    pub password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |part: &Option<String>| part.as_ref().map(|_| "hidden");
        f.debug_struct("Credentials")
            .field("user", &hidden(&self.user))
            .field("password", &hidden(&self.password))
            .finish()
    }
}

/// A parsed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) servers: Servers,
    pub(crate) tls: bool,
    pub(crate) credentials: Credentials,
    /// The number of the database; 0 in every cluster.
    pub(crate) database: u32,
}
