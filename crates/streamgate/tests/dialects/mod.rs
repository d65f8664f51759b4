//! The five dialects, tried on the real binary: what was recorded of their predecessors, races and
//! storms through all of them at once, keys, and everything a client can get wrong.

mod ask;
mod bad_input;
mod browsers;
mod call;
mod contract;
mod dialect;
mod keys;
mod linearizable;
mod race;
mod recorded;
mod setup;
mod shape;
mod sharing;
mod store_down;
mod storm;
