//! Stores on real servers, and waiting for them without blocking the runtime.

mod work;

pub(crate) use work::{Load, admitted, lost, open, open_fresh, settings, start, user};

use std::time::Duration;

use streamgate_clock::Stopwatch;

/// Waits until `is_so` answers something, and panics with `what` where it does not in time.
pub(crate) async fn eventually<T>(
    what: &str,
    limit_s: u64,
    is_so: impl AsyncFn() -> Option<T>,
) -> T {
    let waited = Stopwatch::start();
    loop {
        if let Some(value) = is_so().await {
            return value;
        }
        let limit = Duration::from_secs(limit_s);
        assert!(waited.elapsed() < limit, "not within {limit_s} s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
