//! The promises of `docs/promises.md` on the real binary: under races, crashes, failing disks and
//! hostile clients.

mod backup;
pub(crate) mod call;
mod clocks;
mod connections;
mod crash;
mod crowded;
pub(crate) mod departure;
mod dialects;
mod disk_faults;
mod fuzz;
mod generated;
mod lifecycle;
mod linearizable;
mod live_sessions;
mod log;
mod page;
mod policy;
mod race;
mod reload;
mod signals;
pub(crate) mod storm;
mod streams;
mod versions;
