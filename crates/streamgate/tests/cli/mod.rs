//! The command line, tried on the real binary: what it prints, how it ends, what wins.

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
mod store;
mod users;
