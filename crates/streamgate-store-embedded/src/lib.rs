//! The embedded store: all records in a table in memory, and a write-ahead log that restores it.
//!
//! ```text
//!            ┌── table: 4,096 shards, each a lock, records, and what is not durable yet
//! transact ──┤
//!            └── log: queue ─► commit writer ─► segments          snapshots ◄── table
//!                                one write, one sync a batch
//! ```
//!
//! A step runs under the lock of its shard. Its change goes into the table and, as a delta, into
//! the open batch. The call is answered when the batch is on disk, and so is every call that saw
//! the change meanwhile. A restart reads the newest snapshot and the log behind it.
//! `docs/adr/0002-embedded-store-is-a-log.md` says why it is a log.
//!
//! What is *not* here: the meaning of the bytes (`streamgate-core`; only recovery calls it, to
//! apply deltas), retries and deadlines (`streamgate-engine`).

mod backup;
mod config;
pub mod disk;
mod error;
mod fatal;
mod format;
mod lock;
mod log;
mod observer;
mod reader;
mod recovery;
mod shared;
mod snapshot;
mod store;
mod table;
mod threads;
pub mod tools;

pub use config::{DurabilityMode, EmbeddedConfig, UnknownDurability};
pub use error::{Damage, OpenError};
pub use fatal::{FatalError, OnFatal};
pub use log::progress::CommitWatch;
pub use observer::{LogObserver, NoLogObserver};
pub use recovery::Recovered;
pub use store::EmbeddedStore;
