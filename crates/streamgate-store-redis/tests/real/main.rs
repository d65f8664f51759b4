//! The store on real Redis and Valkey servers, which the tests start. A missing server fails the
//! tests.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    clippy::print_stdout,
    reason = "figures, for those who look at a test's output"
)]

mod cluster;
mod eviction;
mod faults;
mod full;
mod notices;
mod reports;
mod security;
mod sentinel;
mod standalone;
mod support;
mod tls;
