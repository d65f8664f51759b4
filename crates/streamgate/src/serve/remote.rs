//! Starting a remote store of any kind: prove that it can be used, or say why not; wait in the
//! background while it is unavailable; keep reading its format mark.

use std::sync::Arc;

use streamgate_core::Seconds;
use streamgate_store::Store;
use streamgate_store::versioned::{NotUsable, Optimistic, RemoteStore, Started};

use super::{format, unavailable};
use crate::exit::{Code, Failure};

/// A remote store that was started.
pub(crate) struct Remote {
    /// The store.
    pub(crate) store: Arc<dyn Store>,
    /// How far the clocks of nodes may differ, if each counts leases by its own.
    pub(crate) clock_skew: Seconds,
}

/// Starts a store. Called on the runtime, which keeps its tasks.
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
    format::watch(Arc::clone(&store));
    let store: Arc<dyn Store> = store;
    if let Some(why) = &unavailable {
        unavailable::wait_for(&store, why);
    }
    Ok(Remote { store, clock_skew })
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
