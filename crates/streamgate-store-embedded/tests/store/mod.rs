//! The embedded store on real and simulated disks.

mod backup;
mod conformance;
mod corruption;
mod detached;
mod directory;
mod faults;
mod full;
mod golden;
mod gone;
mod power_loss;
mod process_death;
mod reopen;
mod scan;
mod snapshots;
mod stuck;
mod visibility;
