//! What the tests of several crates share, so that each piece exists once.
//!
//! The crate is a dev-dependency only: no shipped code uses it, and its helpers panic where a test
//! should fail. It exists because integration tests of one crate cannot import those of another;
//! its manifest forbids nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub mod history;
