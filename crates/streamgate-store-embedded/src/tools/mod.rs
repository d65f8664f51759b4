//! The operator's tools for a data directory that no server uses.

mod check;
mod inspect;
mod repair;
mod report;
mod stats;

pub use check::{CheckReport, check};
pub use repair::{RepairReport, repair};
pub use stats::{StatsReport, stats};
