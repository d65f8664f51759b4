//! The dialects behind a gateway: everything that was recorded of the five predecessors, at the
//! root, at their own path, and on the stage that two of them had.

use super::gateway::{DEFAULT_STAGE, Kind};
use super::{Function, OPEN};
use crate::dialects::dialect::Dialect;
use crate::dialects::recorded::differences;
use crate::dialects::setup::KEYS;

/// Plays the recording of a dialect in these places: gateway, stage, and what stands before the
/// recorded path.
fn replay(dialect: Dialect, places: &[(Kind, &'static str, &str)]) {
    let mut wrong = Vec::new();
    for (kind, stage, prefix) in places {
        let keys = match dialect {
            Dialect::ConcurrencyService => ("STREAMGATE_KEYS", KEYS),
            _ => OPEN[0],
        };
        let settings = [
            keys,
            ("STREAMGATE_CORS_ALLOWED_ORIGINS", "*"),
            ("STREAMGATE_COMPAT_ROOT", dialect.name()),
        ];
        let function = Function::with(1, &settings);
        let gateway = function.behind(*kind, stage);
        let found = differences(gateway.address, dialect, prefix).into_iter();
        wrong.extend(found.map(|what| format!("{kind:?} {stage} {what}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// At the root of an HTTP API, under its own path there, and at the root of a named stage.
fn replay_everywhere(dialect: Dialect) {
    replay(
        dialect,
        &[
            (Kind::HttpApi, DEFAULT_STAGE, ""),
            (Kind::HttpApi, "prod", &format!("/prod{}", dialect.at(""))),
            (Kind::RestApi, "prod", &format!("/prod{}", dialect.at(""))),
        ],
    );
}

#[test]
fn session_tracker() {
    replay_everywhere(Dialect::SessionTracker);
    replay(Dialect::SessionTracker, &[(Kind::RestApi, "prod", "/prod")]);
}

#[test]
fn user_streams() {
    replay_everywhere(Dialect::UserStreams);
    replay(Dialect::UserStreams, &[(Kind::HttpApi, "prod", "/prod")]);
}

#[test]
fn stream_requests() {
    replay_everywhere(Dialect::StreamRequests);
    replay(Dialect::StreamRequests, &[(Kind::RestApi, "prod", "/prod")]);
}

/// The stage is a part of the paths that these two had. As the stage of the gateway it is served
/// unchanged, whichever kind of gateway takes it off.
const OWN_STAGE: [(Kind, &str, &str); 3] = [
    (Kind::HttpApi, "dev", ""),
    (Kind::HttpApiV1, "dev", ""),
    (Kind::RestApi, "dev", ""),
];

#[test]
fn concurrency_service_also_on_the_stage_that_it_had() {
    replay_everywhere(Dialect::ConcurrencyService);
    replay(Dialect::ConcurrencyService, &OWN_STAGE);
}

#[test]
fn stream_log_also_on_the_stage_that_it_had() {
    replay_everywhere(Dialect::StreamLog);
    replay(Dialect::StreamLog, &OWN_STAGE);
}
