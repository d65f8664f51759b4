//! What `streamgate bench` does around a run: probe the server, show progress, handle signals,
//! print the result.
//!
//! What is *not* here: flags (the command), load and measurement (`streamgate_loadgen`).

mod figures;
mod probe;
mod progress;
mod signals;

pub(crate) use figures::{page, print};
pub(crate) use probe::{Probed, probe};
pub(crate) use progress::RunProgress;
pub(crate) use signals::end_on_signals;

use streamgate_loadgen::{DriveError, RunError};

use crate::exit::{Code, Failure};

/// Why there is no summary.
pub(crate) fn failure(error: &RunError) -> Failure {
    let message = error.to_string();
    match error {
        RunError::Prefix(_) | RunError::Key(_) => Failure::new(Code::Usage, message),
        RunError::NoSessions { .. } => Failure::new(Code::Problem, message),
        RunError::Drive(DriveError::Target(_)) => Failure::new(Code::Unreachable, message),
        RunError::Drive(DriveError::Connect { .. }) => Failure::new(Code::Unreachable, message)
            .hint("the server, or this machine's limit of open files, may allow fewer connections"),
        RunError::Drive(DriveError::Process { .. } | DriveError::Io(_)) => {
            Failure::new(Code::Problem, message)
        }
    }
}
