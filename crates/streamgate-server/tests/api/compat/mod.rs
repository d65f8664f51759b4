//! The languages of earlier systems. One module is one dialect; the recorded exchanges are replayed
//! against the real process, by the binary's tests.

mod concurrency_service;
mod documents;
mod keys;
mod mount;
mod session_tracker;
mod stream_log;
mod stream_requests;
mod user_streams;
