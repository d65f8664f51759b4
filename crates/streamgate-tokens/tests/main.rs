//! Tests of viewer tokens, as one test binary.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;
mod viewers;
