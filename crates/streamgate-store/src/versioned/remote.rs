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
    #[error("the store cannot be used: {0}")]
    Refused(String),
    /// A server is configured in a way that would lose what it acknowledges. The message names the
    /// setting and its right value.
    #[error("the store must not be used as it is set up: {0}")]
    Misconfigured(String),
    /// The store holds records that this program cannot read.
    #[error(transparent)]
    NewerFormat(#[from] NewerFormat),
    /// No server answered, or the answer may be another one later. Retrying may help.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
}

/// A [`VersionedStore`] on servers that other processes start, stop and configure.
pub trait RemoteStore: VersionedStore {
    /// Proves that the servers can be used as the store needs them: reachable, with the permissions
    /// to read and write, and configured so that they keep what they acknowledge.
    ///
    /// # Errors
    /// [`NotUsable`].
    fn prove(&self) -> BoxFuture<'_, Result<(), NotUsable>>;

    /// How far the clocks of the nodes may differ, in seconds, if each node counts leases by its
    /// own ([`Policy::clock_skew`](streamgate_core::Policy::clock_skew)); 0 if the server's clock
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
    /// Why it cannot be used yet; `None` if it can. It connects by itself later.
    pub unavailable: Option<String>,
}

impl<S: RemoteStore> Optimistic<S> {
    /// Proves the store, reads its format mark and raises it to `format` where it is lower. A store
    /// that is unavailable is started all the same, because a process may start before its servers.
    ///
    /// # Errors
    /// [`NotUsable`], never [`NotUsable::Unavailable`].
    pub async fn start(remote: S, format: u8) -> Result<Started<S>, NotUsable> {
        let unavailable = match remote.prove().await {
            Ok(()) => None,
            Err(NotUsable::Unavailable(why)) => Some(why),
            Err(lasting) => return Err(lasting),
        };
        let store = Self::new(remote).raising_format_to(format);
        // A mark that cannot be read now is read by the next check.
        if let Ok(known) = store.look_at_format().await {
            known?;
            // A mark that cannot be raised now is tried again by the caller, which logs why, and by
            // the first change that needs it.
            let _ = store.raise_format().await;
        }
        Ok(Started {
            store: Arc::new(store),
            unavailable,
        })
    }
}
