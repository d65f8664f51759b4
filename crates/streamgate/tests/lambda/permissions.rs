//! The permissions of the templates are exactly those that the program uses.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::json;
use streamgate_testkit::proxy::http::{Act, Proxy, Request};
use streamgate_testkit::{Server, call, repository};

use super::gateway::{DEFAULT_STAGE, Gateway, Kind};
use super::runtime_api::RuntimeApi;
use super::{OPEN, bootstrap};
use crate::dialects::dialect::Dialect;
use crate::dialects::recorded::differences;
use crate::nodes::dynamodb::table;

/// The actions on DynamoDB in a template.
fn permitted(template: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(repository(template)).unwrap();
    let actions = text.split("dynamodb:").skip(1);
    let actions = actions.filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphabetic());
        end.map(|end| rest[..end].to_owned())
    });
    actions.filter(|action| !action.is_empty()).collect()
}

/// Everything that the API can do, and everything that was recorded of the dialects.
fn use_everything(gateway: &Gateway) {
    let call = |method: &str, path: &str, body: Option<serde_json::Value>| {
        let answer = call(gateway.address, method, path, None, body.as_ref());
        let is_done = answer.status < 300 || answer.code() == "limit_reached";
        assert!(is_done, "{method} {path}: {answer:?}");
    };
    call("GET", "/readyz", None);
    let sessions = "/v1/users/everything/sessions";
    call("PUT", "/v1/users/everything", Some(json!({ "limit": 2 })));
    for id in ["a", "b", "c"] {
        call(
            "PUT",
            &format!("{sessions}/{id}"),
            Some(json!({ "region": "eu" })),
        );
    }
    call("POST", sessions, None);
    call("POST", &format!("{sessions}/a/heartbeat"), None);
    let beat = json!({ "heartbeats": [{ "user_id": "everything", "session_id": "b" }] });
    call("POST", "/v1/heartbeats", Some(beat));
    for path in [
        sessions,
        "/v1/users/everything",
        "/v1/users",
        "/v1/sessions",
    ] {
        call("GET", path, None);
    }
    call("DELETE", &format!("{sessions}/a"), None);
    call("DELETE", "/v1/users/everything", None);
    for dialect in Dialect::ALL {
        // Without its key, concurrency-service answers differently; the calls are what counts here.
        differences(gateway.address, dialect, &dialect.at(""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_templates_permit_what_the_api_and_the_dialects_use_and_nothing_else() {
    let emulator = table();
    let used: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let plan = {
        let used = Arc::clone(&used);
        move |request: &Request| {
            used.lock().unwrap().insert(request.operation.clone());
            Act::Pass
        }
    };
    let proxy = Proxy::before(&emulator.url(), plan).await;
    let port = proxy.url().rsplit(':').next().unwrap().parse().unwrap();
    let api = RuntimeApi::start();
    // Raises the format mark of the table as well.
    let settings = [OPEN[0], ("STREAMGATE_STORE_FORMAT", "2")];
    let _instance = Server::spawn_logging(bootstrap(&api, port, &settings));
    let gateway = Gateway::start(Kind::HttpApi, DEFAULT_STAGE, &api);
    tokio::task::spawn_blocking(move || use_everything(&gateway))
        .await
        .unwrap();
    let used = used.lock().unwrap().clone();
    for template in [
        "deploy/aws/lambda/template.yaml",
        "deploy/aws/ecs/template.yaml",
    ] {
        assert_eq!(permitted(template), used, "{template}");
    }
}
