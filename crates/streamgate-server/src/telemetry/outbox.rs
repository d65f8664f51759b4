//! A bounded queue in front of a thread that sends: for exporters of traces and error reports.
//!
//! No caller waits for the receiver. What does not fit into the queue, and what cannot be sent, is
//! dropped and counted; nothing is sent twice.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use streamgate_clock::Stopwatch;

/// Most items in a queue, and most in one batch.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLimits {
    /// Items that wait.
    pub queue_max: usize,
    /// Items that are sent at once.
    pub batch_max: usize,
    /// How long a batch waits for further items.
    pub linger: Duration,
}

/// A bounded queue, and the thread that sends what is in it.
pub struct Outbox<T> {
    sender: SyncSender<Message<T>>,
    dropped: Counter,
}

enum Message<T> {
    Item(T),
    /// Send what came before, then answer.
    Flush(SyncSender<()>),
}

impl<T: Send + 'static> Outbox<T> {
    /// Starts the thread. `send` is called with one batch after the other; what it could not send
    /// counts as dropped.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        name: &str,
        limits: OutboxLimits,
        dropped: Counter,
        send: impl FnMut(Vec<T>) -> Result<(), String> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(limits.queue_max);
        let counter = dropped.clone();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || send_forever(&receiver, limits, &counter, send))?;
        Ok(Self { sender, dropped })
    }

    /// Queues an item, or drops it if the queue is full. Never waits.
    pub fn push(&self, item: T) {
        if self.sender.try_send(Message::Item(item)).is_err() {
            self.dropped.inc();
        }
    }

    /// Waits for at most `patience` until all queued items are sent or dropped; `false` if they are
    /// not. Returns at once if the queue is full: its receiver is too slow.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, is_done) = sync_channel(1);
        let queued = self.sender.try_send(Message::Flush(done));
        queued.is_ok() && is_done.recv_timeout(patience).is_ok()
    }
}

/// Sends until the queue has no owner.
fn send_forever<T>(
    receiver: &Receiver<Message<T>>,
    limits: OutboxLimits,
    dropped: &Counter,
    mut send: impl FnMut(Vec<T>) -> Result<(), String>,
) {
    while let Ok(first) = receiver.recv() {
        let (batch, flushes) = collect(receiver, first, limits);
        let items = batch.len();
        if items > 0
            && let Err(error) = send(batch)
        {
            dropped.inc_by(items as u64);
            tracing::warn!(
                error,
                items,
                "traces or error reports could not be sent, and are dropped"
            );
        }
        for flush in flushes {
            // Its caller may have lost patience.
            let _ = flush.send(());
        }
    }
}

/// The next batch, and the flushes to answer behind it.
fn collect<T>(
    receiver: &Receiver<Message<T>>,
    first: Message<T>,
    limits: OutboxLimits,
) -> (Vec<T>, Vec<SyncSender<()>>) {
    let (mut batch, mut flushes) = (Vec::new(), Vec::new());
    let watch = Stopwatch::start();
    let mut next = Some(first);
    while let Some(message) = next.take() {
        match message {
            Message::Item(item) => batch.push(item),
            Message::Flush(done) => flushes.push(done),
        }
        if batch.len() < limits.batch_max && flushes.is_empty() {
            let left = limits.linger.saturating_sub(watch.elapsed());
            next = receiver.recv_timeout(left).ok();
        }
    }
    (batch, flushes)
}

impl<T> fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("dropped", &self.dropped.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LIMITS: OutboxLimits = OutboxLimits {
        queue_max: 3,
        batch_max: 2,
        linger: Duration::from_millis(1),
    };

    /// Longer than any of these tests takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_push_never_waits_for_a_stalled_receiver_and_what_does_not_fit_is_counted() {
        let (begun, has_begun) = channel();
        let (release, released) = channel::<()>();
        let dropped = Counter::default();
        let outbox = Outbox::start("test", LIMITS, dropped.clone(), move |batch: Vec<u32>| {
            begun.send(batch).unwrap();
            // Once the test has let go, all is taken.
            let _ = released.recv();
            Ok(())
        })
        .unwrap();
        outbox.push(0);
        assert_eq!(has_begun.recv_timeout(PATIENCE).unwrap(), [0]);
        for item in 1..=5 {
            outbox.push(item);
        }
        assert_eq!(dropped.get(), 2);
        assert!(!outbox.flush(PATIENCE), "a full queue is not waited for");
        drop(release);
        assert_eq!(has_begun.recv_timeout(PATIENCE).unwrap(), [1, 2]);
        assert_eq!(has_begun.recv_timeout(PATIENCE).unwrap(), [3]);
        assert!(outbox.flush(PATIENCE));
    }

    #[test]
    fn what_cannot_be_sent_is_counted_and_the_next_batch_is_sent() {
        let dropped = Counter::default();
        let mut answers = vec![Ok(()), Err("refused".to_owned())];
        let outbox = Outbox::start("test", LIMITS, dropped.clone(), move |_: Vec<u32>| {
            answers.pop().unwrap()
        })
        .unwrap();
        for _ in 0..2 {
            outbox.push(1);
            assert!(outbox.flush(PATIENCE));
        }
        assert_eq!(dropped.get(), 1);
    }
}
