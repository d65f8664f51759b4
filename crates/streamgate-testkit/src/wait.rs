//! Waiting for other processes, which do not say when they are ready.

use std::time::Duration;

use streamgate_clock::Stopwatch;

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[expect(
    clippy::disallowed_methods,
    reason = "foreign servers do not say when they are ready"
)]
/// Gives other processes time to make progress. The caller repeats this until a deadline.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Waits until `is_so`. Panics with `what` after a minute.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = Stopwatch::start();
    while !is_so() {
        assert!(waited.elapsed() < PATIENCE, "not so: {what}");
        pause();
    }
}
