//! Processes for one test: the Streamgate binary, and the servers of other projects that it needs.
//!
//! Each ends with the value that stands for it, by its process id.

mod command;
mod dynoxide;
mod foreign;
mod lines;
mod redis;
mod server;
mod topology;

pub use command::{Ran, bare, binary, run, run_with, streamgate, tampered};
pub use dynoxide::{dynoxide, dynoxide_on};
pub use foreign::{Process, free_port};
pub use redis::{Flavour, Redis};
pub use server::{Ended, Server, remove_data, serve_arguments, until_prepared};
pub use topology::{Cluster, Sentinel};
