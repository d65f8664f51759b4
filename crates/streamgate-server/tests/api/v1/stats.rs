//! `/v1/stats`

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Service;

/// The service, sampled once a second until the test ends.
fn sampled(service: Service) -> Service {
    let activity = Arc::clone(&service.activity);
    tokio::spawn(async move { activity.sample_forever().await });
    service
}

async fn stats(service: &Service, key: &str, query: &str) -> Value {
    let path = format!("/v1/stats{query}");
    let answer = service.call_as(key, "GET", &path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn sum(series: &Value) -> f64 {
    let values = series.as_array().unwrap().iter();
    values.filter_map(Value::as_f64).sum()
}

/// Asks until it is as it should be, for as long as two samples take.
async fn until(service: &Service, key: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    for _ in 0..200 {
        seen = stats(service, key, "").await;
        if is_there(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within two samples: {seen}");
}

#[tokio::test]
async fn what_happens_is_in_the_series_of_the_next_second() {
    let service = sampled(Service::open());
    service.start(&["a", "b", "c"]).await;
    for id in ["d", "e"] {
        let path = format!("/v1/users/u/sessions/{id}");
        assert_eq!(service.call("PUT", &path).await.status, 409);
    }
    service
        .call("POST", "/v1/users/u/sessions/a/heartbeat")
        .await;
    service.call("DELETE", "/v1/users/u/sessions/a").await;
    let seen = until(&service, "any", |it| sum(&it["refusals"]) == 2.0).await;
    assert_eq!(sum(&seen["starts"]), 3.0);
    assert_eq!(sum(&seen["heartbeats"]), 1.0);
    assert_eq!(sum(&seen["ended"]["stopped"]), 1.0);
    assert_eq!(sum(&seen["ended"]["expired"]), 0.0);
    let last = |name: &str| seen[name].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (last("live_sessions"), last("watching_users")),
        (json!(2), json!(1))
    );
    for name in ["p50_ms", "p99_ms"] {
        assert!(sum(&seen[name]) > 0.0, "{seen}");
    }
    let top = &seen["top_refused"];
    assert_eq!(top[0]["user_id"], "u");
    assert_eq!((&top[0]["refusals"], &top[1]), (&json!(2), &Value::Null));
}

#[tokio::test]
async fn every_series_has_a_value_a_step_and_null_where_the_node_did_not_run() {
    let service = sampled(Service::open());
    let seen = until(&service, "any", |it| {
        sum(&it["starts"]) == 0.0 && has_value(it)
    })
    .await;
    assert_eq!(
        (&seen["scope"], &seen["step_s"]),
        (&json!("node"), &json!(1))
    );
    for (query, step_s, length) in [
        ("", 1, 300),
        ("?window_s=10", 1, 10),
        ("?window_s=600", 1, 600),
        ("?window_s=601", 10, 61),
        ("?window_s=3600", 10, 360),
    ] {
        let seen = stats(&service, "any", query).await;
        assert_eq!(seen["step_s"], step_s, "{query}");
        let ended = seen["ended"].as_object().unwrap();
        assert_eq!(ended.len(), 5);
        let series = ended.values().chain(
            [
                "starts",
                "refusals",
                "heartbeats",
                "p50_ms",
                "p99_ms",
                "live_sessions",
            ]
            .map(|name| &seen[name]),
        );
        for series in series.chain([&seen["watching_users"]]) {
            assert_eq!(series.as_array().unwrap().len(), length, "{query}");
            assert_eq!(series[0], Value::Null, "{query}");
        }
    }
}

fn has_value(stats: &Value) -> bool {
    let starts = stats["starts"].as_array().unwrap();
    starts.last().is_some_and(Value::is_number)
}

#[tokio::test]
async fn a_client_that_follows_gets_each_value_once() {
    let service = sampled(Service::open());
    let seen = until(&service, "any", has_value).await;
    let from = seen["from"].as_str().unwrap();
    // Everything behind the first value, and so all but it.
    let rest = stats(&service, "any", &format!("?after={from}")).await;
    let rest = rest["starts"].as_array().unwrap().len();
    assert!((299..=300).contains(&rest), "{rest}");
    let query = format!("?window_s=10&after={}", seen["now"].as_str().unwrap());
    let last = stats(&service, "any", &query).await;
    let following = last["starts"].as_array().unwrap().len();
    assert!(following <= 1, "{last}");
    let far = stats(&service, "any", "?after=2099-01-01T00:00:00Z").await;
    assert_eq!(far["starts"], json!([]));
    assert!(far["from"].as_str() > seen["from"].as_str(), "{far}");
}

#[tokio::test]
async fn users_are_named_to_their_own_tenant_only() {
    let service = sampled(Service::keyed());
    for (key, user) in [("admin", "ours"), ("other", "theirs")] {
        for id in ["a", "b", "c", "d"] {
            let path = format!("/v1/users/{user}/sessions/{id}");
            service.call_as(key, "PUT", &path).await;
        }
    }
    for (key, user) in [("admin", "ours"), ("other", "theirs")] {
        let seen = until(&service, key, |it| sum(&it["refusals"]) == 2.0).await;
        let top = seen["top_refused"].as_array().unwrap();
        assert_eq!(top.len(), 1);
        assert_eq!(top[0]["user_id"], user);
        // Counts are those of `/metrics`.
        assert_eq!(sum(&seen["starts"]), 6.0);
    }
    for key in ["player", "service"] {
        let answer = service.call_as(key, "GET", "/v1/stats").await;
        answer.assert_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_window_is_named() {
    let service = Service::open();
    for (query, field) in [
        ("window_s=9", "window_s"),
        ("window_s=3601", "window_s"),
        ("window_s=1e3", "window_s"),
        ("window_s=", "window_s"),
        ("window_s=10&window_s=10", "window_s"),
        ("after=yesterday", "after"),
        ("after=2026-02-30T00:00:00Z", "after"),
        ("since=1", "since"),
    ] {
        let answer = service.get(&format!("/v1/stats?{query}")).await;
        answer.assert_invalid(&[field]);
    }
}
