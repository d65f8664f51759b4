//! The log: every change that a crash must not lose, in order, in segments, one write a batch.
//!
//! ```text
//! callers ──append──► queue ──one batch──► writer ──write, sync──► segment ──► wake the callers
//!                                            ▲ the next segment, zeroed ahead by the preparer
//! ```

pub(crate) mod frame;
pub(crate) mod pace;
pub(crate) mod prepare;
pub(crate) mod queue;
pub(crate) mod room;
pub(crate) mod segment;
pub(crate) mod waiting;
pub(crate) mod writer;

/// A position in the log: the number of a record, counted from 1 since the directory was made.
pub(crate) type Lsn = u64;
