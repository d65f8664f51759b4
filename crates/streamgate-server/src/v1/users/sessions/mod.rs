//! Sessions of one user: start, heartbeat, stop, and the list of live sessions.

pub(crate) mod events;
pub(crate) mod heartbeat;
pub(crate) mod list;
pub(crate) mod start;
pub(crate) mod stop;

use crate::problem::{ApiError, Code};

/// The answer about a session that the user never had.
pub(crate) fn session_unknown() -> ApiError {
    ApiError::new(Code::SessionUnknown, SESSION_UNKNOWN)
}

const SESSION_UNKNOWN: &str =
    "the user never had a session of this id, or it ended so long ago that it is forgotten";
