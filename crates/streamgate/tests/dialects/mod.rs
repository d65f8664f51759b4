//! The five dialects on the real binary: recorded exchanges of their predecessors, races and storms
//! through all of them, keys, and bad input.

mod ask;
mod bad_input;
mod browsers;
mod call;
mod contract;
pub(crate) mod dialect;
mod keys;
mod linearizable;
mod race;
pub(crate) mod recorded;
pub(crate) mod setup;
mod shape;
mod sharing;
mod store_down;
mod storm;
