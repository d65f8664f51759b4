//! Why a server cannot be used, in words for the log and for callers; transient or permanent.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError};
use streamgate_store::versioned::NotUsable;
use streamgate_store::{Refusal, StoreError};

/// Why a call or a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    words: String,
    /// It stays until an operator changes the server's settings or ours.
    is_permanent: bool,
    what: What,
}

/// The kind of a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// No answer, or no server to ask.
    Away,
    /// A server refused; this is the text for callers.
    Refused(&'static str),
    /// A server answered that its memory is full.
    Full,
    /// The value is not a record.
    Damage,
}

/// The texts for callers, by the code of a server's answer.
const TOLD: [(&str, &str); 11] = [
    (
        "NOREPLICAS",
        "the store refuses writes: too few of its replicas are connected",
    ),
    (
        "MISCONF",
        "the store refuses writes: it cannot save its data",
    ),
    (
        "READONLY",
        "the store refuses writes: the server is a replica, as for a moment in a failover",
    ),
    (
        "MASTERDOWN",
        "the store refuses writes: the server is a replica that has lost its primary",
    ),
    ("LOADING", "the store is loading its data"),
    (
        "CLUSTERDOWN",
        "the store refuses: a part of its cluster is down",
    ),
    (
        "TRYAGAIN",
        "the store is moving the record to another server",
    ),
    ("BUSY", "the store is busy with a script"),
    ("NOAUTH", "the store does not let this node in"),
    ("WRONGPASS", "the store does not let this node in"),
    ("NOPERM", FORBIDDEN),
];

/// The text for a command or a channel that the user may not use.
const FORBIDDEN: &str = "the store does not let this node do what it needs to";

/// The code of a server that has reached its `maxmemory` and evicts nothing.
const FULL: &str = "OOM";

/// The code for a key that holds another type than a string.
const NO_TEXT: &str = "WRONGTYPE";

/// Codes of a failed authentication or a missing permission.
const PERMANENT_CODES: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];

/// Messages of permanent errors: the client drops some codes, and some errors have none.
const PERMANENT_WORDS: [&str; 4] = [
    "Authentication required",
    "has no permissions to",
    "DB index is out of range",
    "This instance has cluster support disabled",
];

impl Reason {
    /// A reason that may go away by itself.
    pub(crate) fn transient(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            is_permanent: false,
            what: What::Away,
        }
    }

    /// A server refused: `told` is for callers, `words` for the log.
    pub(crate) fn refused(told: &'static str, words: impl Into<String>) -> Self {
        Self {
            what: What::Refused(told),
            ..Self::transient(words)
        }
    }

    /// The value of a key is not a record.
    pub(crate) fn damage(words: impl Into<String>) -> Self {
        Self {
            what: What::Damage,
            ..Self::permanent(words)
        }
    }

    /// A reason that stays until an operator does something about it.
    pub(crate) fn permanent(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            is_permanent: true,
            what: What::Away,
        }
    }

    /// The reason of an error of the client library.
    pub(crate) fn of(error: &RedisError) -> Self {
        Self {
            words: error.to_string(),
            is_permanent: is_permanent(error),
            what: what(error),
        }
    }

    /// Adds the server.
    pub(crate) fn at(self, server: impl fmt::Display) -> Self {
        Self {
            words: format!("{server}: {self}"),
            ..self
        }
    }

    /// Joins reasons: permanent if one of them is.
    pub(crate) fn all(reasons: &[Self]) -> Self {
        let words: Vec<&str> = reasons.iter().map(|reason| reason.words.as_str()).collect();
        let mut kinds = reasons.iter().map(|reason| reason.what);
        Self {
            words: words.join("; "),
            is_permanent: reasons.iter().any(Self::is_permanent),
            // What one server answers tells more than that another is away.
            what: kinds.find(|what| *what != What::Away).unwrap_or(What::Away),
        }
    }

    /// Whether the value of a key is not a record.
    pub(crate) fn is_damage(&self) -> bool {
        self.what == What::Damage
    }

    /// Whether the server forbids it to this user.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.what == What::Refused(FORBIDDEN)
    }

    /// Whether the server does not know the command.
    pub(crate) fn is_unknown_command(&self) -> bool {
        self.words.contains("unknown command")
    }

    /// Whether it stays until an operator does something about it.
    pub(crate) const fn is_permanent(&self) -> bool {
        self.is_permanent
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl From<Reason> for NotUsable {
    fn from(reason: Reason) -> Self {
        let words = reason.to_string();
        if reason.is_permanent() {
            Self::Refused(words)
        } else {
            Self::Unavailable(words)
        }
    }
}

impl From<Reason> for StoreError {
    /// Of a call that has changed nothing.
    fn from(reason: Reason) -> Self {
        match reason.what {
            What::Away => Self::Unavailable(reason.words),
            What::Full => Self::Full(reason.words),
            What::Damage => Self::Damaged(reason.words),
            What::Refused(told) => Self::Refused(Refusal {
                told,
                why: reason.words,
            }),
        }
    }
}

fn what(error: &RedisError) -> What {
    if has_code(error, NO_TEXT) {
        return What::Damage;
    }
    if has_code(error, FULL) {
        return What::Full;
    }
    let told = TOLD.iter().find(|(code, _)| has_code(error, code));
    told.map_or(What::Away, |(_, told)| What::Refused(told))
}

/// Whether the error has this code. Redis 6 wraps the error of a script's command in an `ERR`, so
/// the code is searched there as well.
pub(crate) fn has_code(error: &RedisError, code: &str) -> bool {
    let wrapped = |detail: &str| {
        detail
            .strip_prefix("Error running script")
            .is_some_and(|rest| rest.contains(&format!(": -{code} ")))
    };
    error.code() == Some(code) || error.detail().is_some_and(wrapped)
}

fn is_permanent(error: &RedisError) -> bool {
    let detail = error.detail().unwrap_or_default();
    error.kind() == ErrorKind::AuthenticationFailed
        || PERMANENT_CODES.iter().any(|code| has_code(error, code))
        || PERMANENT_WORDS.iter().any(|words| detail.contains(words))
        || is_refused_by_tls(error)
}

/// Whether one side rejected the other's certificate.
fn is_refused_by_tls(error: &RedisError) -> bool {
    let of_tls = error
        .source()
        .and_then(|cause| cause.downcast_ref::<Arc<dyn Error + Send + Sync>>())
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .and_then(io::Error::get_ref)
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(
        of_tls,
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn wrong_credentials_and_settings_are_permanent_and_states_of_a_server_transient() {
        for line in [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOAUTH Authentication required.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "ERR Error running script (call to f_ab): @user_script:3: -NOPERM No permissions",
            "ERR DB index is out of range",
            "ERR This instance has cluster support disabled",
        ] {
            assert!(Reason::of(&answered(line)).is_permanent(), "{line}");
        }
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "CLUSTERDOWN Hash slot not served",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
        ] {
            assert!(!Reason::of(&answered(line)).is_permanent(), "{line}");
        }
    }

    #[test]
    fn callers_are_told_what_a_server_answered_and_that_none_did() {
        for (line, told) in [
            ("NOREPLICAS Not enough good replicas to write.", "replicas"),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                "cannot save",
            ),
            (
                "READONLY You can't write against a read only replica.",
                "replica",
            ),
            ("LOADING Redis is loading the dataset in memory", "loading"),
        ] {
            let error = StoreError::from(Reason::of(&answered(line)).at("secret-host:1"));
            let StoreError::Refused(refusal) = error else {
                panic!("{line}: {error:?}")
            };
            assert!(refusal.told.contains(told), "{line}: {}", refusal.told);
            assert!(refusal.why.contains("secret-host"), "the log has it all");
        }
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "ERR Error running script (call to f_ab): @user_script:9: -OOM no",
        ] {
            let full = StoreError::from(Reason::of(&answered(line)));
            assert!(matches!(full, StoreError::Full(_)), "{full:?}");
        }
        let wrong = answered("WRONGTYPE Operation against a key holding the wrong kind of value");
        let damaged = StoreError::from(Reason::of(&wrong));
        assert!(matches!(damaged, StoreError::Damaged(_)), "{damaged:?}");
        let reset = RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset));
        let away = StoreError::from(Reason::all(&[Reason::of(&reset)]));
        assert!(matches!(away, StoreError::Unavailable(_)), "{away:?}");
    }

    #[test]
    fn a_refused_certificate_is_permanent_and_a_broken_connection_transient() {
        let of = |error: rustls::Error| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            Reason::of(&RedisError::from(error))
        };
        let unknown = rustls::CertificateError::UnknownIssuer;
        assert!(of(rustls::Error::InvalidCertificate(unknown)).is_permanent());
        let wanted = rustls::AlertDescription::CertificateRequired;
        assert!(of(rustls::Error::AlertReceived(wanted)).is_permanent());
        assert!(!of(rustls::Error::HandshakeNotComplete).is_permanent());
        let reset = RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset));
        assert!(!Reason::of(&reset).is_permanent());
    }

    #[test]
    fn reasons_are_joined_and_permanent_if_one_of_them_is() {
        let transient = Reason::transient("no answer").at("a:1");
        let permanent = Reason::permanent("no").at("b:2");
        let both = Reason::all(&[transient.clone(), permanent]);
        assert_eq!(both.to_string(), "a:1: no answer; b:2: no");
        assert!(both.is_permanent());
        assert!(!Reason::all(&[transient]).is_permanent());
    }
}
