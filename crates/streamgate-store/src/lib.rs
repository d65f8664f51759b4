//! The store port: where ledgers are kept, as a contract.
//!
//! A store is dumb. It keeps one record (bytes) per key, and lets a [`Step`] read and replace a
//! record atomically. It does not know what the bytes mean and decides nothing; the rules are in
//! `streamgate-core`.
//!
//! Beside the contract ([`Store`], and [`Notices`] between nodes) there is the adapter for servers ([`versioned`]), a
//! [`MemoryStore`], a [`decorator`], injected [`faults`] for tests, and the [`conformance`] suite that every
//! store must pass.

mod backup;
pub mod conformance;
pub mod decorator;
pub mod faults;
mod memory;
mod notices;
mod port;
mod step;
pub mod versioned;

pub use backup::{Backup, BackupError};
pub use memory::MemoryStore;
pub use notices::{Notice, NoticeCounts, Notices, Peer, Scope};
pub use port::{
    BoxFuture, Cursor, PAGE_BYTES, Page, Refusal, Store, StoreError, Swept, Transaction,
};
pub use step::{Change, CommitCallback, CommitResult, DetachOnDrop, Step, StepFn, View};
