//! A bound on how long work may take.

use std::future::Future;
use std::time::Duration;

use crate::reason::Reason;

/// Runs `work` and gives up after `time`, with a transient reason.
pub(crate) async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Reason>>,
) -> Result<T, Reason> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done,
        Err(_) => Err(too_late(time)),
    }
}

/// There was no answer in this time.
pub(crate) fn too_late(time: Duration) -> Reason {
    Reason::transient(format!("no answer within {} ms", time.as_millis()))
}
