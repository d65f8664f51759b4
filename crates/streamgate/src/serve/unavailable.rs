//! A remote store that is unavailable at the start: the process answers 503, and logs it until the
//! store is there.
//!
//! What is *not* here: reconnecting. Stores do that by themselves.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_store::{Store, StoreError};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often the store is checked.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How often the log says that it is still unavailable.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// Logs why the store cannot be used yet, and checks it until it can. Called on the runtime.
pub(super) fn wait_for(store: &Arc<dyn Store>, why: &str) {
    tracing::warn!(
        reason = why,
        "the store cannot be used yet: until it can, calls are answered 503. It is tried all the \
         time; check that its servers run and can be reached from here, and the settings of \
         [store]"
    );
    let store = Arc::clone(store);
    tokio::spawn(async move {
        let waited = Stopwatch::start();
        let look = async || store.check_ready().await.map_err(reason);
        let remind = |why: &str| {
            tracing::warn!(
                reason = why,
                waited_s = waited.elapsed().as_secs(),
                "the store still cannot be used: calls are answered 503"
            );
        };
        until_usable(look, remind).await;
        tracing::info!(
            waited_s = waited.elapsed().as_secs(),
            "the store can be used now: calls are served"
        );
    });
}

/// Checks until the store can be used, and reminds periodically that it cannot.
async fn until_usable<L: Future<Output = Result<(), String>>>(
    look: impl Fn() -> L,
    remind: impl Fn(&str),
) {
    let mut reminder = interval(REMIND_EVERY);
    // One reminder after a pause of the process.
    reminder.set_missed_tick_behavior(MissedTickBehavior::Delay);
    reminder.tick().await; // The first tick is immediate, and `wait_for` has just logged.
    loop {
        sleep(CHECK_EVERY).await;
        let Err(why) = look().await else {
            return;
        };
        tokio::select! {
            biased;
            _ = reminder.tick() => remind(&why),
            () = ready(()) => {}
        }
    }
}

fn reason(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(why) | StoreError::OutcomeUnknown(why) => why,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unavailable_store_is_logged_once_a_minute_until_it_is_there() {
        let looks = Cell::new(0);
        let told = RefCell::new(Vec::new());
        let look = || {
            looks.set(looks.get() + 1);
            let look = looks.get();
            ready(if look < 200 {
                Err(format!("look {look}"))
            } else {
                Ok(())
            })
        };
        until_usable(look, |why| told.borrow_mut().push(why.to_owned())).await;
        assert_eq!(looks.get(), 200);
        assert_eq!(told.into_inner(), ["look 60", "look 120", "look 180"]);
    }
}
