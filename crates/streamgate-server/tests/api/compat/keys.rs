//! Keys that are set are asked for in dialects, unless the settings say that they are not. What is
//! *not* here: which key each call needs ([`crate::matrix`]).

use streamgate_server::{CompatSettings, DialectName, ServerSettings, dialects_without_key};

use crate::support::{Service, keys};

fn keyed(require_key: bool) -> Service {
    Service::with(ServerSettings {
        keys: keys(),
        compat: CompatSettings {
            require_key,
            ..CompatSettings::default()
        },
        ..ServerSettings::default()
    })
}

/// The default asks: what is not written down opens nothing.
#[test]
fn keys_that_are_set_are_asked_for_by_default() {
    assert!(CompatSettings::default().require_key);
}

#[test]
fn the_dialects_that_serve_callers_without_a_key_are_listed() {
    let settings = |require_key| CompatSettings {
        require_key,
        ..CompatSettings::default()
    };
    assert_eq!(dialects_without_key(&settings(true)), []);
    let mut open = DialectName::ALL.to_vec();
    open.retain(|name| *name != DialectName::ConcurrencyService);
    assert_eq!(dialects_without_key(&settings(false)), open);
    let few = CompatSettings {
        dialects: vec![DialectName::ConcurrencyService, DialectName::StreamLog],
        ..settings(false)
    };
    assert_eq!(dialects_without_key(&few), [DialectName::StreamLog]);
}

async fn live(service: &Service, key: &str) -> u64 {
    let path = "/v1/users/u/sessions";
    let answer = service.call_as(key, "GET", path).await;
    answer.json()["active"].as_u64().unwrap()
}

#[tokio::test]
async fn a_key_says_whose_users_are_meant_also_where_none_is_asked_for() {
    let service = keyed(false);
    let path = "/compat/user-streams/user-streams/u/s";
    assert_eq!(service.call_as("other", "GET", path).await.status, 200);
    assert_eq!(live(&service, "other").await, 1);
    assert_eq!(live(&service, "admin").await, 0, "of another tenant");
    // The one that always asks finds the same session.
    let path = "/compat/concurrency-service/dev/startSession/userId/u/sessionId/s";
    let answer = service.call_as("other", "GET", path).await;
    assert_eq!(answer.json()["concurrentSessions"], 1);
    assert_eq!(live(&service, "other").await, 1);
}
