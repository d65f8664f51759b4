//! Where dialects are mounted.

use streamgate_server::{CompatSettings, DialectName};

use crate::support::Service;

fn speaking(dialects: &[DialectName], root: Option<DialectName>) -> Service {
    Service::with_dialects(CompatSettings {
        dialects: dialects.to_vec(),
        root,
        ..CompatSettings::default()
    })
}

#[tokio::test]
async fn a_dialect_that_is_not_named_is_not_there() {
    let service = speaking(&[DialectName::StreamLog], None);
    for path in [
        "/compat/session-tracker/add-session?user_id=u",
        "/compat/",
        "/compat/esperanto/x",
        "/add-session?user_id=u",
    ] {
        let answer = service.call("POST", path).await;
        answer.assert_problem(404, "not_found");
    }
    let explorer = service.get("/docs/explorer.js").await.text();
    assert!(explorer.contains("/compat/stream-log/"));
    assert!(!explorer.contains("/compat/session-tracker/"));
}

#[tokio::test]
async fn a_dialect_at_the_root_stands_behind_our_own_paths() {
    let root = Some(DialectName::SessionTracker);
    let service = speaking(&DialectName::ALL, root);
    let at_root = service.call("POST", "/ADD-session/?user_id=u").await;
    assert_eq!(at_root.status, 200, "{}", at_root.text());
    let mounted = "/compat/session-tracker/remove-session?user_id=u";
    assert_eq!(service.call("POST", mounted).await.status, 200);
    // What neither knows, the dialect answers.
    let neither = service.get("/nothing").await;
    assert_eq!(neither.status, 404);
    assert!(neither.json()["message"].is_string(), "{}", neither.text());
    // Our own paths are as ever.
    service.start(&["x"]).await;
    assert_eq!(service.get("/healthz").await.status, 200);
    assert_eq!(service.get("/docs/").await.status, 200);
    let wrong_method = service.call("DELETE", "/v1/users").await;
    wrong_method.assert_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn the_document_at_the_root_is_that_of_what_is_mounted_there() {
    let ours = Service::open();
    let plain = ours.get("/openapi.json").await.json();
    assert_eq!(plain["info"]["title"], "Streamgate");
    assert_eq!(ours.get("/docs/openapi.json").await.json(), plain);

    let root = Some(DialectName::UserStreams);
    let service = speaking(&[DialectName::UserStreams], root);
    let theirs = service.get("/openapi.json").await.json();
    assert_eq!(theirs["info"]["title"], "Streamgate as user-streams");
    let mounted = service.get("/compat/user-streams/openapi.json").await;
    assert_eq!(theirs, mounted.json());
    let ours = service.get("/docs/openapi.json").await.json();
    assert_eq!(ours, plain);
}

#[tokio::test]
async fn requests_are_counted_by_the_call_of_the_dialect_wherever_it_is_mounted() {
    let root = Some(DialectName::SessionTracker);
    let service = speaking(&DialectName::ALL, root);
    service.call("POST", "/add-session?user_id=u").await;
    let mounted = "/compat/session-tracker/add-session?user_id=u";
    let answer = service.call("POST", mounted).await;
    assert!(answer.header("x-request-id").is_some());
    service.get("/nothing/that/is/a/label").await;
    let count = |route: &str, method: &str, status: u16| {
        format!(
            "streamgate_http_request_duration_seconds_count\
             {{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
        )
    };
    let calls = count("/compat/session-tracker/add-session", "POST", 200);
    assert_eq!(service.metric(&calls).await, "2");
    let others = count("/compat/session-tracker", "GET", 404);
    assert_eq!(service.metric(&others).await, "1");
}

#[tokio::test]
async fn a_dialect_with_pages_is_found_without_its_slash() {
    let service = Service::open();
    let bare = service.get("/compat/user-streams").await;
    assert_eq!(bare.status, 308);
    assert_eq!(bare.header("location"), Some("/compat/user-streams/"));
    let home = service.get("/compat/user-streams/").await;
    assert!(home.text().contains("<h1>user-streams</h1>"));
    let call = service.get("/compat/user-streams/user-streams/u/s").await;
    assert_eq!(call.json()["allow"], true);
}
