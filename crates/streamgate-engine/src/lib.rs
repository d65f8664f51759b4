//! The shell around the decision: runs commands of the core on a store.
//!
//! The engine decodes a record, lets `streamgate_core::decide` decide, and hands the store the
//! result. It adds what the world makes necessary: a deadline per call, an answer to "the outcome
//! is unknown", paging, sweeping, and an [`EngineObserver`] that hears what happened.
//!
//! What is *not* here: rules (the core), bytes on disk (the stores), wire formats (the server).

mod batch;
mod call;
mod damage;
mod doubt;
mod engine;
mod error;
mod fail_open;
mod ids;
mod newer;
mod observer;
mod operations;
mod pace;
mod pages;
mod policy;
mod report;
mod side_by_side;
mod sweep;
mod wall;

pub use engine::{Engine, EngineSettings};
pub use error::EngineError;
pub use fail_open::{Answered, FailMode};
pub use ids::{IdSource, RandomIds};
pub use observer::{Answer, EngineObserver, NoObserver, Observers};
pub use operations::NewestStopped;
pub use pages::{PageCursor, SessionsPage, UsersPage};
pub use policy::PolicyNow;
pub use side_by_side::side_by_side;
pub use wall::Wall;
