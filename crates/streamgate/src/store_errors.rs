//! Errors of the embedded store, with what an operator should do.

use streamgate_store_embedded::OpenError;

use crate::exit::{Code, Failure};

/// A failure that says what is wrong, where, and what to do.
pub(crate) fn failure(error: &OpenError) -> Failure {
    let failure = Failure::new(Code::Store, error.to_string());
    match error {
        OpenError::InUse { .. } => failure.hint(
            "stop the server that uses it (never delete LOCK), or name another directory with \
             --data-dir",
        ),
        // These say what to do themselves.
        OpenError::Damaged { .. } | OpenError::NewerFormat { .. } => failure,
        OpenError::VolumeTooSmall { .. } => {
            failure.hint("name a directory on a larger volume with --data-dir, or enlarge this one")
        }
        _ => failure.hint(
            "check that the directory exists, that this user may read and write it, and that the \
             disk has free space; --data-dir names another",
        ),
    }
}
