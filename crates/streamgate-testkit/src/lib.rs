//! What tests share: processes, an HTTP client, proxies, a fake wall clock, a history checker.
//!
//! Some of it serves the tests of one crate only, and stands here beside its kind. Tests and `streamgate-measure` use it, shipped code never: its helpers panic where a test should
//! fail. It exists because integration tests of one crate cannot import those of another; its
//! manifest forbids nothing.
//!
//! Nothing here polls a Streamgate server: helpers wait for the line with its address, then for log
//! lines and answers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod certificates;
pub mod faketime;
pub mod generated;
pub mod history;
mod http;
pub mod marks;
mod process;
pub mod proxy;
pub mod random;
mod wait;

pub use certificates::Certificates;
pub use http::{Answer, Client, Lost, Request, call, exchange, session_ids};
pub use process::{
    Cluster, Ended, Flavour, Process, Ran, Redis, Sentinel, Server, bare, binary, dynoxide,
    dynoxide_on, free_port, remove_data, run, run_with, serve_arguments, streamgate, tampered,
    until_prepared,
};
pub use wait::{eventually, pause};

use std::path::{Path, PathBuf};

/// A file or directory of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
