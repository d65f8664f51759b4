//! Starting a remote store of any kind: prove that it can be used, or say why not. A server then
//! waits in the background while it is unavailable, and keeps reading its format mark.

use std::sync::Arc;

use streamgate_core::Seconds;
use streamgate_store::Store;
use streamgate_store::versioned::{NotUsable, Optimistic, RemoteStore, Started};

use super::format::FormatWatch;
use super::{format, unavailable};
use crate::exit::{Code, Failure};

/// A remote store that was started.
pub(crate) struct Remote {
    /// The store.
    pub(crate) store: Arc<dyn Store>,
    /// How far the clocks of nodes may differ, if each counts leases by its own.
    pub(crate) clock_skew: Seconds,
    /// Why the store cannot be used yet.
    pub(crate) unavailable: Option<String>,
    /// Reads the format mark.
    pub(crate) format: Box<dyn FormatWatch>,
}

impl Remote {
    /// Keeps watch in the background: waits until the store can be used, and reads its format mark.
    /// Called on the runtime.
    pub(super) fn watched(self) -> (Arc<dyn Store>, Seconds) {
        tokio::spawn(format::look_forever(self.format));
        if let Some(why) = &self.unavailable {
            unavailable::wait_for(&self.store, why);
        }
        (self.store, self.clock_skew)
    }
}

/// Starts a store. Called on the runtime, which keeps its connections.
///
/// A process may start before its servers, and restart while they are away: it then answers 503 and
/// serves as soon as they do. A server that refuses stops the start, because it would still refuse
/// a minute later. `hint` says what to check then. The format mark is raised to `format`.
pub(crate) async fn start_remote<S: RemoteStore>(
    remote: S,
    format: u8,
    hint: &str,
) -> Result<Remote, Failure> {
    let clock_skew = remote.clock_skew();
    let started = Optimistic::start(remote, format).await;
    let Started { store, unavailable } = started.map_err(|error| not_usable(&error, hint))?;
    Ok(Remote {
        format: format::watch(Arc::clone(&store)),
        store,
        clock_skew,
        unavailable,
    })
}

/// Why the process does not start.
pub(crate) fn not_usable(error: &NotUsable, hint: &str) -> Failure {
    let failure = Failure::new(Code::Store, error.to_string());
    match error {
        NotUsable::Refused(_) | NotUsable::Unavailable(_) => failure.hint(hint),
        NotUsable::Misconfigured(_) => failure, // The message says what to change.
        NotUsable::NewerFormat(_) => {
            failure.hint("run the newer version on this node; nothing was changed")
        }
    }
}
