//! Dialects: the HTTP APIs of earlier systems, so that their clients work unchanged. One dialect is
//! one folder behind the trait [`Dialect`](dialect::Dialect).
//!
//! A dialect translates requests into commands of the engine and outcomes into its own responses,
//! and decides nothing. A session started in one dialect counts in all of them and in
//! [`crate::v1`]. What is *not* here: rules, and how clients move over (`docs/migrating.md`).

pub(crate) mod answer;
mod body;
mod caller;
mod concurrency_service;
mod dialect;
mod mount;
mod path;
mod query;
mod refusals;
mod session_tracker;
mod settings;
mod stream_log;
mod stream_requests;
#[cfg(test)]
mod tests;
mod user_streams;

use body::AnyJson;
use caller::{DialectCaller, session_id, session_taken};
use path::segment;

pub use mount::dialects_without_key;
pub(crate) use mount::{document, document_path, mount};
pub use session_tracker::canonical as session_tracker_number;
pub use settings::{CompatSettings, DialectName, DialectSettings};
pub use stream_requests::stream_session as stream_requests_session;
