//! What an operator does with a data directory while no service runs on it.

mod check;
mod inspect;
mod repair;
mod report;
mod stats;

pub use check::{CheckReport, check};
pub use repair::{RepairReport, repair};
pub use stats::{StatsReport, stats};
