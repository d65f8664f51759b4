//! The command line of the real binary: output, exit codes, precedence of settings.

mod addresses;
mod audit;
mod bench;
mod health;
mod help;
mod import;
mod keys;
mod lifecycle;
mod openapi;
mod other_servers;
mod output;
mod sessions;
mod settings;
mod stats;
mod store;
mod top;
mod users;
