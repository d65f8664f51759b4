//! Snapshots: all records at one moment each, so that the log before them can go.
//!
//! A snapshot named after segment N holds what all segments before N did, and some of what N and
//! later ones did: the table is copied shard by shard while it changes. For each shard it says at
//! which position of the log the shard was copied; replay skips exactly what the copy contains,
//! because deltas must not be applied twice.

mod format;
pub(crate) mod read;
mod write;

pub(crate) use format::End;
pub(crate) use write::{Unnamed, remove_before, spawn};
