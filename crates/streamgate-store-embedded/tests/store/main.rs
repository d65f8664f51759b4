//! The embedded store on real and simulated disks. One binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod conformance;
mod corruption;
mod detached;
mod directory;
mod faults;
mod full;
mod gone;
mod power_loss;
mod process_death;
mod reopen;
mod scan;
mod snapshots;
mod visibility;
