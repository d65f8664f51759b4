//! The write-ahead log: every change that a crash must not lose, in order, one write per batch.
//!
//! ```text
//! callers ──append──► queue ──one batch──► writer ──write, sync──► segment ──► wake the callers
//!                                            ▲ the next segment, zeroed ahead by the preparer
//! ```

pub(crate) mod frame;
pub(crate) mod pace;
pub(crate) mod prepare;
pub(crate) mod progress;
pub(crate) mod queue;
pub(crate) mod room;
pub(crate) mod segment;
pub(crate) mod writer;

/// Where the written part of the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenEnd {
    /// The segment in use.
    pub(crate) segment: u64,
    /// How many of its bytes are written: whole batches, behind the header.
    pub(crate) offset: u64,
    /// The position of the last record in there.
    pub(crate) last: Lsn,
}

/// Log sequence number: the position of a record, counted from 1 since the directory was made.
pub(crate) type Lsn = u64;
