//! Cooperative scheduling: work that never waits yields to other tasks of its thread.

/// How many bytes of records a task decodes before it yields: some hundred microseconds to a
/// millisecond of work.
const BUDGET_BYTES: usize = 1 << 20;

/// What a small record counts as, so that a budget has at most 128 of them.
const RECORD_MIN_BYTES: usize = BUDGET_BYTES / 128;

/// Measures the work of a task by what it reads, which needs no clock: decoding, deciding and
/// encoding take time in proportion to the record.
#[derive(Debug, Default)]
pub(crate) struct YieldBudget {
    /// What was read since the task last yielded.
    read_bytes: usize,
}

impl YieldBudget {
    /// Counts a record of this size, and yields once the budget is spent.
    pub(crate) async fn spend(&mut self, record_bytes: usize) {
        self.spend_exactly(record_bytes.max(RECORD_MIN_BYTES)).await;
    }

    /// The same for work with little cost beside the bytes.
    pub(crate) async fn spend_exactly(&mut self, bytes: usize) {
        self.read_bytes += bytes;
        if self.read_bytes >= BUDGET_BYTES {
            self.read_bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}
