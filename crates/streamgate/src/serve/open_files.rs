//! Open files: every connection is one, and the usual soft limit of 1,024 is far too low.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::{Code, Failure};

/// Files that are open beside connections: the log, the snapshot, the runtime's own.
const OTHER_FILES: u64 = 64;

/// Fewest connections to serve with: a few idle players must not keep a health check out.
const CONNECTIONS_MIN: u64 = 64;

/// Raises the soft limit to the hard one. Returns how many connections fit: as many as the settings
/// allow, or fewer if there are fewer files. Further connections wait in the backlog, so that they
/// do not take the last file from the log.
///
/// # Errors
/// The limit is so low that the server could not be used.
pub(super) fn raise(connections_max: usize) -> Result<usize, Failure> {
    let Some(files) = raise_soft_limit() else {
        return Ok(connections_max);
    };
    let fitting = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    if fitting >= connections_max {
        return Ok(connections_max);
    }
    let least = OTHER_FILES + CONNECTIONS_MIN;
    if files < least {
        return Err(Failure::new(
            Code::Problem,
            format!(
                "the limit of open files is {files}: every connection is one, and at least {least} \
                 are needed"
            ),
        )
        .hint(HOW_TO_RAISE));
    }
    // A little fewer than the default is what many systems have.
    if fitting < connections_max / 2 {
        tracing::warn!(
            connections = fitting,
            max_connections = connections_max,
            open_files = files,
            "the limit of open files allows far fewer connections than http.max_connections; \
             {HOW_TO_RAISE}"
        );
    } else {
        tracing::info!(
            connections = fitting,
            max_connections = connections_max,
            open_files = files,
            "the limit of open files allows fewer connections than http.max_connections; \
             {HOW_TO_RAISE}"
        );
    }
    Ok(fitting)
}

/// Raises the soft limit to the hard one; returns the limit, `None` if there is none.
pub(crate) fn raise_soft_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            limit.current
        }
    }
}

/// What an operator can do about it.
const HOW_TO_RAISE: &str =
    "raise it: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of docker";
