//! Tests of the engine, as one test binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod calls;
mod histories;
mod overtaken;
mod support;
