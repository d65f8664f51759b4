//! The shell around the decision: runs commands of the core on a store.
//!
//! The engine decodes a record, lets `streamgate_core::decide` decide, and hands the store the
//! result. It adds a deadline per call, retries after unknown outcomes, fail-open, paging,
//! sweeping, and reports to an [`EngineObserver`].
//!
//! `engine.rs` is the state; each other file with an `impl Engine` adds operations to it, and none
//! of them is known to the files that the state is made of.
//!
//! What is *not* here: rules (the core), bytes on disk (the stores), wire formats (the server).

mod batch;
mod call;
mod damage;
mod decision;
mod engine;
mod error;
mod fail_open;
mod failures;
mod ids;
mod join_all;
mod newer;
mod observer;
mod operations;
mod pages;
mod reconcile;
mod report;
mod resolve;
mod starts;
mod sweep;
mod unresolved_runs;
mod wall;
mod yield_budget;

pub use damage::user_hash;
pub use engine::{Engine, EngineSettings};
pub use error::EngineError;
pub use fail_open::{Answered, FailMode};
pub use ids::{IdSource, RandomIds};
pub use join_all::join_all_yielding;
pub use observer::{Answer, EngineObserver, NoObserver, Observers};
pub use operations::NewestStopped;
pub use pages::{PageCursor, SessionsPage, UsersPage};
pub use starts::Starts;
pub use wall::Wall;
