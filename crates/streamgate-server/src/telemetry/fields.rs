//! The fields of log lines, and their names in the Elastic Common Schema (ECS).
//!
//! Code and text format use the short name, JSON the name of the schema. A field without a row here
//! is of Streamgate alone, and becomes `labels.NAME`.

use std::borrow::Cow;

/// The version of the schema that the names are of.
pub const ECS_VERSION: &str = "9.4.0";

/// A field that the schema has a name for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the code and in the text format.
    pub name: &'static str,
    /// Its name in ECS.
    pub ecs: &'static str,
    /// What it holds.
    pub about: &'static str,
}

/// The duration of what a line is about, in microseconds; ECS counts nanoseconds.
pub(super) const DURATION_US: &str = "duration_us";

const fn field(name: &'static str, ecs: &'static str, about: &'static str) -> Field {
    Field { name, ecs, about }
}

/// Every field with a name of the schema that an event can have.
pub const FIELDS: &[Field] = &[
    field(
        "request_id",
        "http.request.id",
        "The caller's `x-request-id`, or the id that was made; the answer carries it",
    ),
    field("method", "http.request.method", "The HTTP method"),
    field(
        "status",
        "http.response.status_code",
        "The HTTP status of the answer",
    ),
    field(
        DURATION_US,
        "event.duration",
        "How long it took: nanoseconds in JSON, microseconds in text",
    ),
    field("error", "error.message", "What failed, with its causes"),
    field(
        "reason",
        "event.reason",
        "Why the event happened, in a sentence",
    ),
    field(
        "peer",
        "client.ip",
        "The address of the client of a request, or of the peer of a connection; at `debug` only",
    ),
    field("server", "server.address", "The server of the store"),
    field(
        "user_sha256",
        "user.hash",
        "The first 16 hexadecimal digits of the SHA-256 of a user id (`sha256sum` of its bytes)",
    ),
    field(
        "action",
        "event.action",
        "What an audited call did: `user-set`, `user-blocked`, `user-erased`, `user-reset`, \
         `session-stopped`, `sessions-terminated`, `token-minted`, `users-imported` or \
         `backup-taken`",
    ),
    field(
        "outcome",
        "event.outcome",
        "`success`, `failure`, or `unknown` after an error of the server and for a call that was \
         dropped",
    ),
    field(
        "actor_name",
        "user.name",
        "The name of the API key that made the call",
    ),
    field(
        "actor_role",
        "user.roles",
        "The scope of that key, or `viewer`",
    ),
    field(
        "actor_domain",
        "user.domain",
        "The issuer of the token that made the call",
    ),
    field(
        "target_sha256",
        "user.target.hash",
        "The user that the call was about: as `user.hash`",
    ),
    field(
        "target_id",
        "user.target.id",
        "Its id, with `log.audit_user_ids`",
    ),
    field(
        "exit_code",
        "process.exit_code",
        "The exit code that follows",
    ),
    field("thread", "process.thread.name", "The thread that failed"),
    field("file", "file.path", "The file that is meant"),
];

/// Fields that every line has in JSON, and their types. In text the first four stand at the
/// beginning of the line, without a name.
pub const ALWAYS: &[Field] = &[
    field("", "@timestamp", "When, in UTC"),
    field(
        "",
        "log.level",
        "`ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`",
    ),
    field("", "log.logger", "The module that logs"),
    field("", "message", "The event, in words"),
    field("", "ecs.version", "The version of the schema"),
    field("", "service.name", "`streamgate`"),
    field("", "service.version", "The version of Streamgate"),
];

/// Fields of lines that a request with a trace context logs.
pub const OF_TRACE: &[Field] = &[
    field(
        "trace_id",
        "trace.id",
        "The trace that the caller names in `traceparent`",
    ),
    field(
        "span_id",
        "span.id",
        "The part of this server in the trace; the answer's `traceresponse` has it",
    ),
];

/// The name of a field in JSON.
#[must_use]
pub fn ecs_name(name: &str) -> Cow<'static, str> {
    match FIELDS.iter().find(|field| field.name == name) {
        Some(field) => Cow::Borrowed(field.ecs),
        None => Cow::Owned(format!("labels.{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fields_share_a_name() {
        let all = || FIELDS.iter().chain(ALWAYS).chain(OF_TRACE);
        for (i, a) in all().enumerate() {
            for b in all().skip(i + 1) {
                assert_ne!(a.ecs, b.ecs);
                assert!(a.name != b.name || a.name.is_empty(), "{}", a.name);
            }
        }
    }

    #[test]
    fn a_field_of_our_own_is_a_label() {
        assert_eq!(ecs_name("status"), "http.response.status_code");
        assert_eq!(ecs_name("route"), "labels.route");
    }
}
