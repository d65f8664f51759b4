//! The operator's tools for a data directory that no server uses, and for backups.

mod backup;
mod check;
mod inspect;
mod repair;
mod report;
mod stats;

pub use backup::{BackupReport, BackupToolError, receive, receive_and_keep, restore};
pub use check::{CheckReport, check};
pub use repair::{RepairReport, repair};
pub use stats::{StatsReport, stats};
