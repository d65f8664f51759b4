//! Open files: every connection is one, and the usual soft limit of 1,024 is far too low.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside connections: the log, the snapshot, the runtime's own.
const OTHER_FILES: u64 = 64;

/// Raises the soft limit to the hard one, and warns where that is not enough for the connections
/// that the settings allow.
pub(super) fn raise(connections_max: usize) {
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
    let needed = connections_max as u64 + OTHER_FILES;
    // No limit at all is `None`.
    if let Some(current) = current.filter(|current| *current < needed) {
        tracing::warn!(
            open_files = current,
            max_connections = connections_max,
            "the limit of open files is too low for http.max_connections; raise it (ulimit -n, \
             LimitNOFILE= of systemd, --ulimit of docker)"
        );
    }
}
