//! The rules of the core and its byte form. One binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod above_limit;
mod adopt;
mod bounded;
mod codec;
mod damaged;
mod endings;
mod evict_min_age;
mod exhaustive;
mod golden;
mod ids;
mod import;
mod in_doubt;
mod leases;
mod metadata;
#[path = "../model/mod.rs"]
mod model;
mod newest;
mod one_device;
mod policy;
mod properties;
mod reset;
mod slack;
mod stalls;
mod started_with;
#[path = "../support/mod.rs"]
mod support;
mod timestamps;
