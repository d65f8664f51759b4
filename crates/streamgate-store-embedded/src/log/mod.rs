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

/// Log sequence number: the position of a record, counted from 1 since the directory was made.
pub(crate) type Lsn = u64;
