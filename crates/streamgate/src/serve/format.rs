//! A store whose records are newer than this program: refused at the start, and noticed while
//! serving. Other nodes may be of the next release already, see `docs/operating.md`.

use std::sync::Arc;
use std::time::Duration;

use streamgate_store::versioned::{NewerFormat, Optimistic, VersionedStore};
use tokio::time::sleep;

use crate::exit::{Code, Failure};

/// How often the mark of the store is read.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Refuses a store that is too new, and keeps looking: calls are 503 while it is. Called on the
/// runtime. A mark that cannot be read now is read later.
pub(crate) async fn guard<S: VersionedStore>(store: &Arc<Optimistic<S>>) -> Result<(), Failure> {
    if let Ok(Err(newer)) = store.look_at_format().await {
        return Err(Failure::new(Code::Store, newer.to_string())
            .hint("run the newer version on this node; nothing was changed"));
    }
    let store = Arc::clone(store);
    tokio::spawn(async move {
        let mut before = Ok(());
        loop {
            sleep(LOOK_EVERY).await;
            if let Ok(now) = store.look_at_format().await
                && now != before
            {
                tell(now);
                before = now;
            }
        }
    });
    Ok(())
}

fn tell(now: Result<(), NewerFormat>) {
    match now {
        Err(newer) => tracing::error!(
            reason = %newer,
            "calls are answered 503 and nothing is changed: run the newer version on this node, too"
        ),
        Ok(()) => tracing::info!("all records of the store can be read again: calls are served"),
    }
}
