//! Log and error reports name no user, session or device, and hold no key: every operation of every
//! document is called with marked values, in every state of the store, and no line at `info` or
//! above has a mark; those of the audit log among them.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use streamgate_core::TenantId;
use streamgate_server::telemetry::{ErrorReports, LogFormat, Report};
use streamgate_server::{
    ApiKey, DialectName, Keys, OpenApiVersion, RateLimitSettings, Scope, ServerSettings, hash_key,
    openapi_json, parse_hash,
};
use streamgate_testkit::marks::{MARK, MarkedCall, marked_calls, marked_calls_below, marked_lines};

use crate::logs::Log;
use crate::support::{Service, request};

/// Error reports, kept.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Report>>);

impl ErrorReports for Kept {
    fn report(&self, report: Report) {
        self.0.lock().unwrap().push(report);
    }

    fn flush(&self, _patience: Duration) -> bool {
        true
    }
}

/// Every call of every document; those of the dialects under their prefixes.
fn calls() -> Vec<MarkedCall> {
    let document = |dialect| -> Value {
        serde_json::from_str(&openapi_json(dialect, OpenApiVersion::V3_1)).unwrap()
    };
    let mut calls = marked_calls(&document(None));
    for name in DialectName::ALL {
        let prefix = format!("/compat/{}", name.as_str());
        calls.extend(marked_calls_below(&prefix, &document(Some(name))));
    }
    calls
}

/// A key of this scope, whose text is marked. Its name is not: the log may name it.
fn key(scope: Scope) -> (String, ApiKey) {
    let text = format!("{MARK}-key-{scope:?}");
    let key = ApiKey {
        name: format!("{scope:?}").into(),
        sha256: parse_hash(&hash_key(&text)).unwrap(),
        scope,
        tenant: TenantId::default_tenant(),
    };
    (text, key)
}

fn requests(call: &MarkedCall) -> Vec<Request<Body>> {
    let make = || {
        let body = call.body.clone();
        let mut made = request(
            &call.method,
            &call.path,
            body.as_ref()
                .map_or_else(Body::empty, |(_, body)| Body::from(body.clone())),
        );
        let headers = made.headers_mut();
        headers.insert("cookie", format!("session={MARK}").parse().unwrap());
        headers.insert("referer", format!("http://{MARK}/").parse().unwrap());
        headers.insert("user-agent", MARK.parse().unwrap());
        if let Some((kind, _)) = body {
            headers.insert("content-type", kind.parse().unwrap());
        }
        made
    };
    let mut requests = vec![make()];
    // Those first whose stops of live sessions are audited.
    for scope in [Scope::Service, Scope::Admin, Scope::Player] {
        let mut with_key = make();
        with_key
            .headers_mut()
            .insert("x-api-key", key(scope).0.parse().unwrap());
        requests.push(with_key);
    }
    let mut with_token = make();
    let bearer = format!("Bearer {MARK}-unknown").parse().unwrap();
    with_token.headers_mut().insert("authorization", bearer);
    requests.push(with_token);
    requests
}

/// The services that the calls go to: each state of the store, and each setting that refuses; and
/// whether they ask for a key.
async fn services() -> [(bool, Service); 8] {
    let keyed = || ServerSettings {
        keys: Keys::new(
            [Scope::Player, Scope::Service, Scope::Admin]
                .map(|scope| key(scope).1)
                .into(),
        ),
        ..ServerSettings::default()
    };
    let (broken, full, open) = (Service::open(), Service::open(), Service::fails_open());
    broken.break_store().await;
    full.fill_store(true);
    open.break_store().await;
    let (damaged, newer) = (Service::open(), Service::open());
    let user = format!("{MARK}-user");
    damaged.damage(&user).await;
    let version = streamgate_core::codec::NEWEST + 1;
    newer.put_record(&user, &[version, 0xff]).await;
    let limited = Service::with(ServerSettings {
        rate_limit: RateLimitSettings {
            per_key_per_s: NonZeroU32::new(1),
            per_user_per_s: NonZeroU32::new(1),
            ..RateLimitSettings::default()
        },
        ..keyed()
    });
    [
        (false, Service::open()),
        (true, Service::with(keyed())),
        (false, broken),
        (false, full),
        (false, open),
        (false, damaged),
        (false, newer),
        (true, limited),
    ]
}

/// Sends every call to every service; returns the statuses that were answered.
async fn run_the_whole_api() -> BTreeSet<u16> {
    let calls = calls();
    let mut statuses = BTreeSet::new();
    for (is_keyed, service) in services().await {
        // There and back: on the way back sessions have ended, by stops and by expiry.
        for call in calls.iter().chain(calls.iter().rev()) {
            // Without keys every caller is the same.
            let callers = if is_keyed { usize::MAX } else { 1 };
            for request in requests(call).into_iter().take(callers) {
                statuses.insert(service.send(request).await.status.as_u16());
            }
            service.advance(1);
        }
    }
    statuses
}

#[tokio::test]
async fn no_line_at_info_names_a_caller_or_holds_a_key() {
    for format in [LogFormat::Human, LogFormat::Json] {
        let mut statuses = BTreeSet::new();
        let reports = Arc::new(Kept::default());
        let to = Some(Arc::clone(&reports) as Arc<dyn ErrorReports>);
        let log = Log::reporting(format, "info", to, async {
            statuses = run_the_whole_api().await;
        });
        let text = log.await.text();
        for reached in [
            200, 201, 204, 400, 401, 403, 404, 409, 410, 413, 415, 429, 500, 503,
        ] {
            assert!(statuses.contains(&reached), "no {reached} in {statuses:?}");
        }
        let said = text.lines().count();
        assert!(said > 10, "failures are logged: {text}");
        assert_eq!(marked_lines(&text), [""; 0], "of {said} lines");
        for action in [
            "user-set",
            "user-erased",
            "user-reset",
            "session-stopped",
            "sessions-terminated",
            "users-imported",
            "backup-taken",
        ] {
            assert!(text.contains(action), "no {action} is audited");
        }
        let reports = reports.0.lock().unwrap();
        assert!(!reports.is_empty(), "a damaged record is an error");
        let reports = format!("{reports:#?}");
        assert_eq!(marked_lines(&reports), [""; 0]);
    }
}

/// The check sees what is logged at all: with the filter open, requests have lines.
#[tokio::test]
async fn at_debug_the_same_calls_have_lines_and_a_mark_in_one_is_found() {
    let service = Service::open();
    let calls = calls();
    for format in [LogFormat::Human, LogFormat::Json] {
        let log = Log::of(format, "trace", async {
            for call in &calls[..200] {
                service.send(requests(call).remove(0)).await;
            }
            tracing::info!(user = MARK, "a line that names its user");
        });
        let text = log.await.text();
        assert!(text.lines().count() > 200, "{text}");
        assert_eq!(marked_lines(&text).len(), 1);
    }
}
