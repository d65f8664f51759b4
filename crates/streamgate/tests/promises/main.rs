//! What Streamgate promises, tried on the real binary: under races, crashes, failing disks and
//! hostile clients. Each of the seven promises of the README has a test here that fails without it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod call;
mod client;
mod connections;
mod crash;
mod departure;
mod disk_faults;
mod fuzz;
mod generated;
#[path = "../dialects/history.rs"]
mod history;
mod lifecycle;
mod linearizable;
mod log;
mod race;
mod reload;
mod signals;
mod storm;
#[path = "../support/mod.rs"]
mod support;
