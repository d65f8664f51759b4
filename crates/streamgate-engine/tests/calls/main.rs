//! Calls of the engine over a store in memory. One binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod at_once;
mod batch;
mod concurrent;
mod dropped;
mod fail_open;
mod outcomes;
mod pages;
mod policy;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod suspended;
mod sweeping;
