//! Tests of the embedded store, as one test binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod store;
