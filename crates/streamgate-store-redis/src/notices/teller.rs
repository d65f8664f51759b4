//! Publishing what no commit publishes, off the path of calls: best effort, from a bounded queue.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use streamgate_core::bounds::TELLINGS_QUEUED_MAX;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Context;
use crate::call::{Call, TELL};
use crate::topology::{Sent, Topology};

/// How many are published at once.
const AT_ONCE: usize = 64;

/// A message to publish.
#[derive(Debug)]
pub(super) struct Telling {
    /// The channel of the user.
    pub(super) channel: Vec<u8>,
    pub(super) message: Vec<u8>,
    /// The channel of the tenant, if somebody listens to it.
    pub(super) tenant_channel: Option<Vec<u8>>,
}

/// The queue, and the task that empties it.
pub(super) struct Teller {
    queue: mpsc::Sender<Telling>,
    context: Arc<Context>,
    task: JoinHandle<()>,
}

impl Teller {
    pub(super) fn start(context: &Arc<Context>) -> Self {
        let (queue, tellings) = mpsc::channel(TELLINGS_QUEUED_MAX);
        Self {
            queue,
            context: Arc::clone(context),
            task: tokio::spawn(publish_forever(Arc::clone(context), tellings)),
        }
    }

    /// Publishes soon, or never if the queue is full.
    pub(super) fn tell(&self, telling: Telling) {
        if self.queue.try_send(telling).is_err() {
            self.context.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn publish_forever(context: Arc<Context>, mut tellings: mpsc::Receiver<Telling>) {
    let (topology, timeout) = (&context.topology, context.response_timeout);
    let mut batch = Vec::with_capacity(AT_ONCE);
    while tellings.recv_many(&mut batch, AT_ONCE).await > 0 {
        let told = batch
            .drain(..)
            .map(|telling| publish(topology, timeout, telling));
        let untold = join_all(told).await.into_iter().filter(|told| !told);
        context
            .untold
            .fetch_add(untold.count() as u64, Ordering::Relaxed);
    }
}

/// Whether it was published, as far as that is known.
async fn publish(topology: &Topology, timeout: Duration, telling: Telling) -> bool {
    let mut arguments = vec![telling.message.as_slice()];
    arguments.extend(telling.tenant_channel.as_deref());
    let call = Call {
        script: &TELL,
        key: &telling.channel,
        arguments: &arguments,
        wait: None,
    };
    let sent = Sent::default();
    let told = tokio::time::timeout(timeout, topology.send(&call, &sent)).await;
    matches!(told, Ok(Ok(_)))
}
