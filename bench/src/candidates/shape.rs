//! Group commit around any engine: one thread takes what is queued, commits once, wakes everybody.
//!
//! fjall holds its journal lock during a sync and redb has one writer; only so do they share a sync
//! among those who wait.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::Result;
use crate::candidates::Record;

/// Something that makes a batch durable.
pub(crate) trait Engine: Send + 'static {
    /// Returns when all of the batch is on disk.
    fn commit(&mut self, batch: &[Record]) -> Result<()>;
}

/// An engine behind a writer.
pub(crate) struct GroupCommit {
    queue: Arc<Queue>,
    writer: JoinHandle<Result<()>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    waiting: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl GroupCommit {
    /// Starts the writer.
    pub(crate) fn start(mut engine: impl Engine) -> Self {
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        let writer = std::thread::spawn(move || {
            while let Some((records, waiting)) = taken.take() {
                engine.commit(&records)?;
                for waiter in waiting {
                    let _ = waiter.send(());
                }
            }
            Ok(())
        });
        Self { queue, writer }
    }

    /// Returns when the record is on disk.
    pub(crate) async fn write(&self, record: Record) -> Result<()> {
        let (sender, done) = oneshot::channel();
        {
            let mut state = self.queue.state.lock();
            state.records.push(record);
            state.waiting.push(sender);
        }
        self.queue.work.notify_one();
        Ok(done.await?)
    }

    /// Stops the writer.
    pub(crate) fn close(self) -> Result<()> {
        self.queue.state.lock().closed = true;
        self.queue.work.notify_one();
        self.writer.join().map_err(|_| "the writer panicked")?
    }
}

impl Queue {
    /// Waits for records; `None` when it is closed and empty.
    fn take(&self) -> Option<(Vec<Record>, Vec<oneshot::Sender<()>>)> {
        let mut state = self.state.lock();
        while state.records.is_empty() {
            if state.closed {
                return None;
            }
            self.work.wait(&mut state);
        }
        Some((
            std::mem::take(&mut state.records),
            std::mem::take(&mut state.waiting),
        ))
    }
}
