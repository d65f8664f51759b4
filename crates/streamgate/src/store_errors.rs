//! Errors of the embedded store, with what an operator should do.

use streamgate_store_embedded::OpenError;
use streamgate_store_embedded::tools::BackupToolError;

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
        OpenError::Damaged { .. } | OpenError::NewerFormat { .. } | OpenError::IsBackup { .. } => {
            failure
        }
        OpenError::VolumeTooSmall { .. } => {
            failure.hint("name a directory on a larger volume with --data-dir, or enlarge this one")
        }
        _ => failure.hint(
            "check that the directory exists, that this user may read and write it, and that the \
             disk has free space; --data-dir names another",
        ),
    }
}

/// The same for a backup that was not written or not restored.
pub(crate) fn of_backup(error: &BackupToolError) -> Failure {
    let of = |code| Failure::new(code, error.to_string());
    match error {
        BackupToolError::Open(error) => failure(error),
        BackupToolError::Stream(_) => of(Code::Unreachable)
            .hint("run it again; the log of the server says whether it gave up, and why"),
        BackupToolError::Damaged(_) => of(Code::Problem).hint("take an earlier backup"),
        BackupToolError::Newer { .. } => of(Code::Problem).hint("use the newer `streamgate`"),
        BackupToolError::Io { .. } => of(Code::Store).hint(
            "check that this user may write there, and that the disk has free space; nothing was \
             left behind",
        ),
        BackupToolError::Exists(_)
        | BackupToolError::Busy(_)
        | BackupToolError::Unfinished(_)
        | BackupToolError::NotABackup(_)
        | BackupToolError::NotEmpty { .. } => of(Code::Problem),
    }
}
