//! `/v1/node`

use serde_json::json;
use streamgate_server::{ChangedSetting, NodeSettings, ServerSettings};

use crate::support::{Service, keys};

fn service() -> Service {
    let changed = ChangedSetting {
        name: "policy.lease_s".to_owned(),
        value: "60".to_owned(),
        default: Some("90".to_owned()),
    };
    Service::with(ServerSettings {
        keys: keys(),
        node: NodeSettings {
            store: "embedded",
            changed: vec![changed],
        },
        ..ServerSettings::default()
    })
}

#[tokio::test]
async fn a_node_says_what_it_is_and_which_settings_differ() {
    let service = service();
    let node = service.call_as("admin", "GET", "/v1/node").await.json();
    assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        node["store"],
        json!({"kind": "embedded", "state": "ok", "detail": null})
    );
    assert!(node["uptime_s"].as_u64().unwrap() < 600, "{node}");
    assert_eq!(
        node["settings"],
        json!([{"name": "policy.lease_s", "value": "60", "default": "90"}])
    );
    assert_eq!(node["scope"], "all");
    let [this] = &node["nodes"].as_array().unwrap()[..] else {
        panic!("{node}");
    };
    assert_eq!(
        (&this["this"], &this["version"]),
        (&json!(true), &node["version"])
    );
    assert_eq!(this["started_at"], node["started_at"]);
    assert_eq!(this["node"].as_str().unwrap().len(), 16);
}

#[tokio::test]
async fn settings_are_shown_to_the_operator_only() {
    let service = service();
    let node = service.call_as("other", "GET", "/v1/node").await.json();
    assert_eq!(node["settings"], json!(null));
    assert_eq!(node["store"]["state"], "ok");
    service
        .call_as("service", "GET", "/v1/node")
        .await
        .assert_problem(403, "forbidden");
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_an_answer_and_no_error() {
    let service = service();
    service.break_store().await;
    let node = service.call_as("admin", "GET", "/v1/node").await;
    assert_eq!(node.status, 200, "{}", node.text());
    assert_eq!(
        node.json()["store"],
        json!({
            "kind": "embedded",
            "state": "unavailable",
            "detail": "the store cannot be used now",
        })
    );
}

#[tokio::test]
async fn no_parameter_is_taken() {
    let answer = service().call_as("admin", "GET", "/v1/node?all=1").await;
    answer.assert_invalid(&["all"]);
}
