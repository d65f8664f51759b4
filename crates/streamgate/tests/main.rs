//! Tests of the real binary, as one test binary, so that one link serves all of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod dialects;
mod docs;
mod exports;
mod image;
#[cfg(feature = "lambda")]
mod lambda;
mod logs;
mod nodes;
mod promises;
mod systemd;
mod tls;
mod viewers;
