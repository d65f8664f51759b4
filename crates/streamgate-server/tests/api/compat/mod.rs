//! Dialects, one a module, and what they share. The recorded exchanges are replayed
//! against the real process, by the binary's tests.

mod bounds;
mod concurrency_service;
mod documents;
mod keys;
mod mount;
mod session_tracker;
mod settings;
mod store_full;
mod stream_log;
mod stream_requests;
mod user_streams;
