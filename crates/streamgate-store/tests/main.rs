//! Tests of the store port, as one test binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod memory;
mod optimistic;
