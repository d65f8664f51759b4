//! What tests of the real binary share: running commands, serving, and a tiny HTTP client.
//!
//! Nothing here sleeps or polls: a server is waited for by the line in which it says where it
//! listens, and everything else by what it logs or answers.

mod command;
pub(crate) mod faketime;
mod http;
mod server;

pub(crate) use command::{Ran, bare, run, run_with, streamgate};
pub(crate) use http::{Answer, Request, call, exchange};
pub(crate) use server::{Server, serve_arguments};

use std::path::PathBuf;

/// A file or directory of the repository.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
