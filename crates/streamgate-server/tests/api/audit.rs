//! The audit log: who did what to whom, and that it names no user unless it is told to.

use std::future::Future;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use streamgate_server::telemetry::{AUDIT_TARGET, AuditSettings, LogFormat};
use streamgate_server::{Gateway, ServerSettings};

use crate::logs::Log;
use crate::support::{Service, keys, request, viewers};

/// `printf %s u | sha256sum`, the beginning.
const HASH_OF_U: &str = "0bfe935e70c321c7";

const SESSION: &str = "/v1/users/u/sessions/s";

/// A service with keys, audited as this says.
fn keyed(audit: AuditSettings) -> Service {
    Service::with(ServerSettings {
        keys: keys(),
        audit,
        ..ServerSettings::default()
    })
}

/// The lines of the audit log that `run` makes.
async fn audited(run: impl Future<Output = ()>) -> Vec<Value> {
    let log = Log::of(LogFormat::Json, "warn,audit=info", run).await;
    let mut lines = log.lines();
    lines.retain(|line| line["log.logger"] == AUDIT_TARGET);
    for line in &lines {
        assert_eq!(line["log.level"], "INFO");
        assert_eq!(line["message"], "audited call");
    }
    lines
}

/// A call with a key and a JSON body; its status.
async fn call(service: &Service, key: &str, method: &str, path: &str, body: &Value) -> u16 {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut request: Request<Body> = request(method, path, Body::from(text));
    let headers = request.headers_mut();
    headers.insert("x-api-key", key.parse().unwrap());
    headers.insert("x-request-id", "r-1".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    service.send(request).await.status.as_u16()
}

/// What was done and how it ended, of each line.
fn deeds(lines: &[Value]) -> Vec<(&str, &str)> {
    lines.iter().map(deed).collect()
}

fn deed(line: &Value) -> (&str, &str) {
    let field = |name: &str| line[name].as_str().unwrap();
    (field("event.action"), field("event.outcome"))
}

#[tokio::test]
async fn a_change_of_a_user_has_a_line_with_who_and_whom() {
    let service = keyed(AuditSettings::default());
    let lines = audited(async {
        let user = "/v1/users/u";
        let limit = |limit: u32| json!({ "limit": limit });
        assert_eq!(call(&service, "service", "PUT", user, &limit(2)).await, 200);
        assert_eq!(call(&service, "service", "PUT", user, &limit(0)).await, 200);
        assert_eq!(
            call(&service, "other", "DELETE", user, &Value::Null).await,
            204
        );
    })
    .await;
    let expected = ["user-set", "user-blocked", "user-erased"].map(|it| (it, "success"));
    assert_eq!(deeds(&lines), expected);
    let mut first = lines[0].as_object().unwrap().clone();
    for constant in [
        "@timestamp",
        "ecs.version",
        "service.name",
        "service.version",
        "log.level",
        "message",
    ] {
        first.remove(constant);
    }
    assert_eq!(
        Value::Object(first),
        json!({
            "log.logger": "audit",
            "event.action": "user-set",
            "event.outcome": "success",
            "labels.actor": "key",
            "user.name": "key of service",
            "user.roles": "service",
            "labels.tenant": "default",
            "user.target.hash": HASH_OF_U,
            "http.request.id": "r-1",
            "http.response.status_code": 200,
        })
    );
    assert_eq!(lines[2]["labels.tenant"], "other");
    assert_eq!(lines[2]["user.roles"], "admin");
}

#[tokio::test]
async fn ids_of_users_are_in_it_only_if_the_setting_says_so() {
    for user_ids in [false, true] {
        let service = keyed(AuditSettings {
            enabled: true,
            user_ids,
        });
        let lines = audited(async {
            let user = "/v1/users/a%2Fsecret";
            assert_eq!(
                call(&service, "admin", "DELETE", user, &Value::Null).await,
                204
            );
        })
        .await;
        let id = lines[0].get("user.target.id").cloned();
        assert_eq!(id, user_ids.then(|| json!("a/secret")));
        assert_eq!(lines[0].to_string().contains("secret"), user_ids);
    }
}

#[tokio::test]
async fn a_stop_has_a_line_if_a_service_ends_what_was_live() {
    let service = keyed(AuditSettings::default());
    for (key, expected) in [("player", 0), ("service", 1), ("admin", 1)] {
        for (method, path) in [("DELETE", SESSION), ("POST", "/v1/users/u/sessions/s/stop")] {
            let lines = audited(async {
                assert_eq!(
                    call(&service, "player", "PUT", SESSION, &Value::Null).await,
                    201
                );
                assert_eq!(call(&service, key, method, path, &Value::Null).await, 204);
                // It has ended already.
                assert_eq!(call(&service, key, method, path, &Value::Null).await, 204);
                call(
                    &service,
                    key,
                    "DELETE",
                    "/v1/users/v/sessions/none",
                    &Value::Null,
                )
                .await;
            })
            .await;
            let stopped = vec![("session-stopped", "success"); expected];
            assert_eq!(deeds(&lines), stopped, "{key} {method}");
            for line in &lines {
                assert_eq!(line["user.name"], format!("key of {key}"));
                assert_eq!(line["user.target.hash"], HASH_OF_U);
            }
            service.advance(1_000);
        }
    }
}

#[tokio::test]
async fn a_start_that_ends_others_by_name_has_a_line() {
    let service = keyed(AuditSettings::default());
    let lines = audited(async {
        for id in ["a", "b", "c"] {
            let path = format!("/v1/users/u/sessions/{id}");
            assert_eq!(
                call(&service, "player", "PUT", &path, &Value::Null).await,
                201
            );
        }
        let terminate = |ids: &[&str]| json!({ "terminate": ids });
        let (named, unnamed) = ("/v1/users/u/sessions/d", "/v1/users/u/sessions");
        let wrong = terminate(&["nobody"]);
        assert_eq!(call(&service, "player", "PUT", named, &wrong).await, 409);
        assert_eq!(
            call(&service, "player", "PUT", named, &terminate(&["a", "b"])).await,
            201
        );
        // Live already: nothing ends.
        assert_eq!(
            call(&service, "player", "PUT", named, &terminate(&["c"])).await,
            200
        );
        assert_eq!(
            call(&service, "service", "POST", unnamed, &terminate(&["c"])).await,
            201
        );
    })
    .await;
    let expected = ["failure", "success", "success"].map(|it| ("sessions-terminated", it));
    assert_eq!(deeds(&lines), expected);
    assert_eq!(lines[1]["labels.sessions"], 2);
    assert_eq!(lines[1]["user.name"], "key of player");
    assert_eq!(lines[2]["user.name"], "key of service");
}

#[tokio::test]
async fn what_dialects_do_to_users_and_sessions_has_the_same_lines() {
    let service = keyed(AuditSettings::default());
    let lines = audited(async {
        let user = json!({ "id": "u", "Name": "n" });
        let at = |path: &str| format!("/compat/{path}");
        for (key, method, path, body, status) in [
            ("service", "POST", "stream-requests/createuser", &user, 200),
            ("service", "POST", "stream-requests/removeuser", &user, 200),
            ("service", "POST", "stream-requests/removeuser", &user, 404),
            (
                "player",
                "POST",
                "session-tracker/add-session?user_id=u",
                &Value::Null,
                200,
            ),
            (
                "service",
                "POST",
                "session-tracker/remove-session?user_id=u",
                &Value::Null,
                200,
            ),
            (
                "service",
                "POST",
                "session-tracker/remove-session?user_id=u",
                &Value::Null,
                409,
            ),
            (
                "player",
                "GET",
                "user-streams/user-streams/u/s",
                &Value::Null,
                200,
            ),
            (
                "player",
                "DELETE",
                "user-streams/user-streams/u",
                &Value::Null,
                204,
            ),
        ] {
            let found = call(&service, key, method, &at(path), body).await;
            assert_eq!(found, status, "{path}");
        }
        let stream = |id: &str| json!({ "userId": "u", "streamId": id });
        let path = at("stream-log/dev/stream");
        assert_eq!(
            call(&service, "player", "POST", &path, &stream("x")).await,
            201
        );
        let made = stream(crate::support::MADE_V4_ID);
        assert_eq!(call(&service, "admin", "DELETE", &path, &made).await, 204);
    })
    .await;
    assert_eq!(
        deeds(&lines),
        [
            ("user-reset", "success"),
            ("user-reset", "success"),
            ("user-reset", "failure"),
            ("session-stopped", "success"),
            ("user-reset", "success"),
            ("session-stopped", "success"),
        ]
    );
    assert_eq!(lines[4]["user.name"], "key of player");
}

#[tokio::test]
async fn imports_and_backups_have_lines() {
    let service = keyed(AuditSettings::default());
    let lines = audited(async {
        let users = json!({ "users": [{ "user_id": "u", "sessions": ["s"] }, { "user_id": "v" }] });
        assert_eq!(
            call(&service, "admin", "POST", "/v1/import", &users).await,
            200
        );
        // A store in memory has none.
        assert_eq!(
            call(&service, "admin", "GET", "/admin/backup", &Value::Null).await,
            409
        );
        assert_eq!(
            call(&service, "other", "GET", "/admin/backup", &Value::Null).await,
            403
        );
    })
    .await;
    assert_eq!(
        deeds(&lines),
        [
            ("users-imported", "success"),
            ("backup-taken", "failure"),
            ("backup-taken", "failure"),
        ]
    );
    assert_eq!(lines[0]["labels.users"], 2);
    assert_eq!(lines[2]["user.name"], "key of other");
}

#[tokio::test]
async fn the_outcome_is_the_answers() {
    let service = keyed(AuditSettings::default());
    let lines = audited(async {
        let user = "/v1/users/u";
        let wrong = json!({ "limit": -1 });
        assert_eq!(call(&service, "service", "PUT", user, &wrong).await, 400);
        let plan = json!({ "plan": "nowhere" });
        assert_eq!(call(&service, "service", "PUT", user, &plan).await, 400);
        service.break_store().await;
        assert_eq!(
            call(&service, "service", "DELETE", user, &Value::Null).await,
            503
        );
        let removal = json!({ "id": "u" });
        let path = "/compat/stream-requests/removeuser";
        assert_eq!(call(&service, "service", "POST", path, &removal).await, 503);
    })
    .await;
    assert_eq!(
        deeds(&lines),
        [
            ("user-set", "failure"),
            ("user-set", "failure"),
            // The store may have done it.
            ("user-erased", "unknown"),
            ("user-reset", "unknown"),
        ]
    );
    assert_eq!(lines[2]["http.response.status_code"], 503);
}

#[tokio::test]
async fn a_caller_without_a_key_is_named_by_the_kind_of_its_address() {
    let service = Service::open();
    let lines = audited(async {
        for client in ["127.0.0.1", "::1", "192.168.1.5", "203.0.113.7"] {
            let request = Request::builder().method("DELETE").uri("/v1/users/u");
            let gateway = Gateway {
                client: client.parse().unwrap(),
                stage: None,
            };
            let request = request.body(Vec::new()).unwrap();
            let answer = service.endpoints.answer_for_gateway(request, gateway).await;
            assert_eq!(answer.unwrap().status(), 204);
        }
        // Nobody can tell whose these sessions are.
        service.start(&["s"]).await;
        assert_eq!(service.call("DELETE", SESSION).await.status, 204);
    })
    .await;
    let of = |line: &Value| line["labels.address"].as_str().unwrap().to_owned();
    let classes: Vec<String> = lines.iter().map(of).collect();
    assert_eq!(classes, ["loopback", "loopback", "private", "public"]);
    for line in &lines {
        assert_eq!(line["labels.actor"], "anonymous");
        assert!(!line.to_string().contains("203.0.113"), "{line}");
    }
}

#[tokio::test]
async fn reading_refusals_and_a_log_that_is_off_have_no_lines() {
    let service = keyed(AuditSettings::default());
    let lines = audited(async {
        for (key, method, path, status) in [
            ("admin", "GET", "/v1/users/u", 404),
            ("admin", "GET", "/v1/sessions", 200),
            ("player", "DELETE", "/v1/users/u", 403),
            ("guess", "DELETE", "/v1/users/u", 401),
            ("service", "POST", "/v1/import", 403),
        ] {
            assert_eq!(
                call(&service, key, method, path, &Value::Null).await,
                status
            );
        }
    })
    .await;
    assert_eq!(lines, [Value::Null; 0]);
    let off = keyed(AuditSettings {
        enabled: false,
        user_ids: true,
    });
    let lines = audited(async {
        assert_eq!(
            call(&off, "admin", "DELETE", "/v1/users/u", &Value::Null).await,
            204
        );
    })
    .await;
    assert_eq!(lines, [Value::Null; 0]);
}

#[tokio::test]
async fn a_line_in_text_is_of_the_logger_audit_too() {
    let service = keyed(AuditSettings::default());
    let log = Log::of(LogFormat::Human, "error,audit=info", async {
        call(&service, "admin", "DELETE", "/v1/users/u", &Value::Null).await;
    });
    let text = log.await.text();
    let begin = format!(" INFO {AUDIT_TARGET}: audited call action=\"user-erased\"");
    assert!(text.contains(&begin), "{text}");
    assert!(
        text.contains(&format!("target_sha256=\"{HASH_OF_U}\"")),
        "{text}"
    );
}

#[tokio::test]
async fn a_token_that_is_minted_has_a_line_with_its_id_and_not_with_itself() {
    let service = viewers::service(&viewers::signing_key());
    let mut token = Value::Null;
    let lines = audited(async {
        let path = "/v1/users/u/tokens";
        let wrong = json!({ "ttl_s": 1 });
        assert_eq!(call(&service, "service", "POST", path, &wrong).await, 400);
        let mut mint = request("POST", path, Body::empty());
        mint.headers_mut()
            .insert("x-api-key", "service".parse().unwrap());
        token = service.send(mint).await.json();
    })
    .await;
    assert_eq!(
        deeds(&lines),
        ["failure", "success"].map(|it| ("token-minted", it))
    );
    let line = &lines[1];
    assert_eq!(line["user.target.hash"], HASH_OF_U);
    assert_eq!(line["user.name"], "key of service");
    assert_eq!(line["labels.token_expires_at"], token["expires_at"]);
    let text = token["token"].as_str().unwrap();
    let claims = text.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(line["labels.token_id"], claims["jti"]);
    for part in text.split('.') {
        assert!(!line.to_string().contains(part), "{line}");
    }
    assert_eq!(lines[0].get("labels.token_id"), None);
}

#[tokio::test]
async fn a_viewer_is_named_by_issuer_and_token_and_its_own_stops_have_no_line() {
    let service = viewers::service(&viewers::signing_key());
    let token = viewers::login_token("u", &json!({ "jti": "token-1" }));
    let lines = audited(async {
        for (method, path, status) in [
            ("PUT", SESSION, 201),
            ("DELETE", SESSION, 204),
            ("PUT", "/v1/users/u/sessions/t", 201),
            // All sessions of the user, also those of its other devices.
            ("DELETE", "/compat/user-streams/user-streams/u", 204),
        ] {
            let request = viewers::bearing(&token, request(method, path, Body::empty()));
            assert_eq!(
                service.send(request).await.status,
                status,
                "{method} {path}"
            );
        }
    })
    .await;
    assert_eq!(deeds(&lines), [("user-reset", "success")]);
    let line = &lines[0];
    assert_eq!(line["labels.actor"], "token");
    assert_eq!(line["user.domain"], "login");
    assert_eq!(line["user.roles"], "viewer");
    assert_eq!(line["labels.actor_token_id"], "token-1");
    assert_eq!(line.get("user.name"), None);
    assert!(!line.to_string().contains(&token), "{line}");
}
