//! Cooperative scheduling: when work that never waits yields to other tasks.

/// What a task decodes before other tasks of the thread go on, in bytes of records: some hundred
/// microseconds to a millisecond.
const TURN_BYTES: usize = 1 << 20;

/// What a small record counts as: so that a turn has at most 128 of them.
const RECORD_MIN_BYTES: usize = TURN_BYTES / 128;

/// Measures the work of a task by what it reads, which needs no clock: decoding, deciding and
/// encoding take time in proportion to the record.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// What was read since the last turn of others.
    read_bytes: usize,
}

impl Pace {
    /// Counts a record of this size, and lets other tasks run if it is their turn.
    pub(crate) async fn keep(&mut self, record_bytes: usize) {
        self.keep_exactly(record_bytes.max(RECORD_MIN_BYTES)).await;
    }

    /// The same for work whose cost beside the bytes is small.
    pub(crate) async fn keep_exactly(&mut self, bytes: usize) {
        self.read_bytes += bytes;
        if self.read_bytes >= TURN_BYTES {
            self.read_bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}
