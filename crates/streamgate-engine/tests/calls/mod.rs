//! Calls of the engine over a store in memory.

mod at_once;
mod batch;
mod concurrent;
mod dropped;
mod fail_open;
mod failures;
mod observers;
mod outcomes;
mod pages;
mod policy;
mod requests;
mod suspended;
mod sweeping;
