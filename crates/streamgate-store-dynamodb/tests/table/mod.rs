//! The store over an emulator of DynamoDB.

mod clocks;
mod commits;
mod conformance;
mod engine;
mod environment;
mod faults;
mod format;
mod nodes;
mod scans;
mod tables;
