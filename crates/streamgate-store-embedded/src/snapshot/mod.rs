//! Snapshots: a copy of all records, which makes the log before it superfluous.
//!
//! The copy is fuzzy: the table is copied shard by shard while it changes. Snapshot N holds all
//! changes of the segments before N and some of the later ones. For each shard it says up to which
//! position of the log the copy reaches; replay skips exactly these changes, because a delta must
//! not be applied twice.

mod format;
pub(crate) mod read;
mod write;

pub(crate) use format::End;
pub(crate) use write::{UnfinishedSnapshot, remove_before, spawn};
