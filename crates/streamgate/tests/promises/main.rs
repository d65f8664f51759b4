//! What Streamgate promises, tried on the real binary: under races, crashes, failing disks and
//! hostile clients. `docs/promises.md` has the promises by number, and the tests that hold each.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod call;
mod client;
mod clocks;
mod connections;
mod crash;
mod crowded;
mod departure;
mod dialects;
mod disk_faults;
mod fuzz;
mod generated;
#[path = "../dialects/history.rs"]
mod history;
mod lifecycle;
mod linearizable;
mod live_sessions;
mod log;
mod page;
mod race;
mod reload;
mod signals;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod versions;
