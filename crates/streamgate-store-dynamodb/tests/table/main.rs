//! The store over an emulator of DynamoDB. One binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod commits;
mod conformance;
mod engine;
mod environment;
mod faults;
mod format;
mod nodes;
mod scans;
#[path = "../support/mod.rs"]
mod support;
mod tables;
