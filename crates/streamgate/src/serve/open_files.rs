//! Open files: every connection is one, and the usual soft limit of 1,024 is far too low.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside connections: the log, the snapshot, the runtime's own.
const OTHER_FILES: u64 = 64;

/// Raises the soft limit to the hard one, and answers how many connections fit: as many as the
/// settings allow, or fewer where files run out first. A connection too many then waits in the
/// backlog, where without this it would take the last file from the log.
pub(super) fn raise(connections_max: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            limit.current
        }
    };
    // No limit at all is `None`.
    let Some(files) = current else {
        return connections_max;
    };
    let fitting = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    if fitting < connections_max {
        tracing::info!(
            connections = fitting.max(1),
            open_files = files,
            "the limit of open files allows fewer connections than http.max_connections; to have \
             more, raise it (ulimit -n, LimitNOFILE= of systemd, --ulimit of docker)"
        );
    }
    fitting.clamp(1, connections_max)
}
