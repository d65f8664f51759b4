//! Failures of a call: done nothing, redirected, or outcome unknown.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use streamgate_store::StoreError;

use crate::reason::{Reason, has_code};
use crate::url::Address;

/// How a call to one server failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was changed.
    Refused(Reason),
    /// The answer was lost: the outcome is unknown.
    Lost(Reason),
    /// The key lives there; nothing was changed.
    Moved(Address),
    /// The key is on its way there; nothing was changed.
    Ask(Address),
}

impl Failure {
    /// The reason for log and caller.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Refused(why) | Self::Lost(why) => why,
            Self::Moved(to) | Self::Ask(to) => Reason::permanent(format!(
                "the key is on {to}: the servers are a cluster, and the URL says otherwise"
            )),
        }
    }
}

impl From<Failure> for StoreError {
    /// For a commit: nothing changed, or the outcome is unknown.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(why) => Self::OutcomeUnknown(why.to_string()),
            refused => refused.reason().into(),
        }
    }
}

/// Codes of answers that servers give *instead of* running a script, or at its first write. After
/// any other error a part of the script may have run.
const REFUSALS: [&str; 13] = [
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOREPLICAS",
    "MISCONF",
    "OOM",
    "NOAUTH",
    "WRONGPASS",
    "WRONGTYPE",
    "TRYAGAIN",
    "BUSY",
    "NOSCRIPT",
];

/// Reads the error of a call that was sent to `asked`.
pub(crate) fn read(error: &RedisError, asked: &Address) -> Failure {
    let reason = Reason::of(error).at(asked);
    let (ErrorKind::Server(_) | ErrorKind::Extension) = error.kind() else {
        return Failure::Lost(reason);
    };
    if let Some((to, _)) = error.redirect_node() {
        let Some(to) = redirected(to, asked) else {
            return Failure::Refused(reason);
        };
        return match error.kind() {
            ErrorKind::Server(ServerErrorKind::Ask) => Failure::Ask(to),
            _ => Failure::Moved(to),
        };
    }
    if is_refusal(error) {
        Failure::Refused(reason)
    } else {
        Failure::Lost(reason)
    }
}

/// Whether the server says that it is a replica: another server may be the primary by now.
pub(crate) fn is_demoted(error: &RedisError) -> bool {
    has_code(error, "READONLY") || has_code(error, "MASTERDOWN")
}

fn is_refusal(error: &RedisError) -> bool {
    REFUSALS.iter().any(|code| has_code(error, code))
}

/// The server that a redirection names. Without a host it is that of the server that was asked.
fn redirected(to: &str, asked: &Address) -> Option<Address> {
    let (host, port) = to.rsplit_once(':')?;
    let host = if host.is_empty() || host == "?" {
        &asked.host
    } else {
        host
    };
    Some(Address::new(host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn asked() -> Address {
        Address::new("here", 1)
    }

    fn answered(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn an_error_after_which_the_script_may_have_run_is_a_lost_answer() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica. script: ab, on @user_script:1.",
            "ERR Error running script (call to f_ab): @user_script:3: -READONLY You can't write",
            "ERR Error running script (call to f_ab): @user_script:9: -OOM command not allowed",
            "CLUSTERDOWN Hash slot not served",
            "NOREPLICAS Not enough good replicas to write.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "NOAUTH Authentication required.",
            "BUSY Redis is busy running a script.",
        ] {
            let failure = read(&answered(line), &asked());
            assert!(
                matches!(failure, Failure::Refused(_)),
                "{line}: {failure:?}"
            );
        }
        let reset = RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset));
        for error in [
            answered("ERR something happened"),
            answered("ERR the key is called : -OOM "),
            answered("NOPERM this user has no permissions to run the 'pexpireat' command"),
            reset,
        ] {
            let failure = read(&error, &asked());
            assert!(matches!(failure, Failure::Lost(_)), "{failure:?}");
        }
    }

    #[test]
    fn redirections_name_a_server() {
        let read = |line| read(&answered(line), &asked());
        let there = |host| Address::new(host, 7);
        assert_eq!(read("MOVED 3999 there:7"), Failure::Moved(there("there")));
        assert_eq!(read("MOVED 3999 :7"), Failure::Moved(there("here")));
        assert_eq!(read("ASK 3999 ::1:7"), Failure::Ask(there("::1")));
        assert!(matches!(read("MOVED 3999 there:x"), Failure::Refused(_)));
        // A standalone URL for the servers of a cluster: a redirection is a wrong setting.
        assert!(read("MOVED 3999 there:7").reason().is_permanent());
    }
}
