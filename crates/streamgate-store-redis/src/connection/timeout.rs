//! Bounds on how long work may take.

use std::future::Future;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};

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

/// Runs a command within `time`.
pub(crate) async fn query<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
    time: Duration,
) -> Result<T, Reason> {
    let answer = async {
        let answer = command.query_async(connection).await;
        answer.map_err(|error| Reason::of(&error))
    };
    within(time, answer).await
}

/// There was no answer in this time.
pub(crate) fn too_late(time: Duration) -> Reason {
    Reason::transient(format!("no answer within {} ms", time.as_millis()))
}
