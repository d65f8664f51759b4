//! How a process starts on a remote store: prove that it can be used, or learn why it cannot.

use std::sync::Arc;

use streamgate_core::Seconds;

use super::{NewerFormat, Optimistic, VersionedStore};
use crate::port::BoxFuture;

/// Why a remote store cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    /// A server answered that it does not serve this node, and would answer the same again: wrong
    /// credentials, a missing permission, a missing table, an unsuitable configuration.
    /// Retrying does not help until an operator has changed something.
    #[error("{0}")]
    Refused(String),
    /// No server answered, or the answer may be another one later. Retrying may help.
    #[error("{0}")]
    Unavailable(String),
}

impl From<NewerFormat> for NotUsable {
    fn from(newer: NewerFormat) -> Self {
        Self::Refused(newer.to_string())
    }
}

/// A [`VersionedStore`] on servers that other processes start, stop and configure.
pub trait RemoteStore: VersionedStore {
    /// Proves that the servers can be used as the store needs them: reachable, with the permissions
    /// to read and write, and configured so that they keep what they acknowledge.
    ///
    /// # Errors
    /// [`NotUsable`].
    fn prove(&self) -> BoxFuture<'_, Result<(), NotUsable>>;

    /// How far the clocks of the nodes may differ, in seconds, where each node counts leases by its
    /// own ([`Policy::clock_skew`](streamgate_core::Policy::clock_skew)); 0 where the server's clock
    /// counts them.
    fn clock_skew(&self) -> Seconds {
        Seconds(0)
    }
}

/// A remote store that was started.
#[derive(Debug)]
pub struct Started<S> {
    /// The store.
    pub store: Arc<Optimistic<S>>,
    /// Why it cannot be used yet; `None` where it can. It connects by itself later.
    pub unavailable: Option<String>,
}

impl<S: RemoteStore> Optimistic<S> {
    /// Proves the store and reads its format mark. A store that is unavailable is started all the
    /// same, because a process may start before its servers.
    ///
    /// # Errors
    /// [`NotUsable::Refused`] where a server refuses, or where the store holds records of a newer
    /// version ([`NewerFormat`]).
    pub async fn start(remote: S) -> Result<Started<S>, NotUsable> {
        let unavailable = match remote.prove().await {
            Ok(()) => None,
            Err(NotUsable::Unavailable(why)) => Some(why),
            Err(refused @ NotUsable::Refused(_)) => return Err(refused),
        };
        let store = Self::new(remote);
        // A mark that cannot be read now is read with the next look.
        if let Ok(known) = store.look_at_format().await {
            known?;
        }
        Ok(Started {
            store: Arc::new(store),
            unavailable,
        })
    }
}
