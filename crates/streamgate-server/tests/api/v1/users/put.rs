//! `PUT /v1/users/{user_id}`

use serde_json::{Value, json};

use crate::support::Service;

const PATH: &str = "/v1/users/u";

fn user(plan: &Value, limit: u32, source: &str, profile: &Value) -> Value {
    json!({
        "user_id": "u", "plan": plan, "limit": limit, "limit_source": source,
        "profile": profile, "active": 0,
    })
}

#[tokio::test]
async fn members_are_set_kept_and_cleared_one_by_one() {
    let service = Service::open();
    let none = json!({});
    for (change, expected) in [
        (
            json!({"plan": "basic"}),
            user(&json!("basic"), 1, "plan", &none),
        ),
        (json!({"limit": 7}), user(&json!("basic"), 7, "user", &none)),
        (
            json!({"profile": {"since": "2019"}, "plan": null}),
            user(&json!(null), 7, "user", &json!({"since": "2019"})),
        ),
        (
            json!({"limit": null}),
            user(&json!(null), 3, "default", &json!({"since": "2019"})),
        ),
        (
            json!({"profile": {"name": "x"}}),
            user(&json!(null), 3, "default", &json!({"name": "x"})),
        ),
        (
            json!({"profile": null}),
            user(&json!(null), 3, "default", &none),
        ),
    ] {
        service
            .json("PUT", PATH, &change)
            .await
            .assert_json(200, &expected);
    }
}

#[tokio::test]
async fn a_change_without_a_body_changes_nothing_and_makes_no_user_known() {
    let service = Service::open();
    service
        .call("PUT", PATH)
        .await
        .assert_json(200, &user(&json!(null), 3, "default", &json!({})));
    assert_eq!(service.get(PATH).await.status, 404);
}

#[tokio::test]
async fn a_lower_limit_holds_from_the_next_start() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    let answer = service.json("PUT", PATH, &json!({"limit": 1})).await;
    assert_eq!(answer.json()["active"], 2);
    let problem = service
        .call("POST", "/v1/users/u/sessions")
        .await
        .assert_problem(409, "limit_reached");
    assert_eq!(problem["active"], 2);
}

#[tokio::test]
async fn the_bounds_of_a_limit_are_0_and_1000() {
    let service = Service::open();
    for good in [json!(0), json!(1000), json!(4.0)] {
        let answer = service.json("PUT", PATH, &json!({"limit": good})).await;
        assert_eq!(answer.status, 200, "{good}");
    }
    for bad in [
        json!(-1),
        json!(1001),
        json!(1.5),
        json!(1e300),
        json!("3"),
        json!([]),
    ] {
        service
            .json("PUT", PATH, &json!({"limit": bad}))
            .await
            .assert_invalid(&["limit"]);
    }
    let answer = service
        .raw("PUT", PATH, "application/json", "{\"limit\": NaN}")
        .await;
    answer.assert_invalid(&["body"]);
}

#[tokio::test]
async fn everything_that_is_wrong_is_named() {
    let service = Service::open();
    let body = json!({"plan": "", "limit": 5000, "profile": {"k": "\u{0}"}});
    service
        .json("PUT", PATH, &body)
        .await
        .assert_invalid(&["plan", "limit", "profile.k"]);
    service
        .json("PUT", PATH, &json!({"profile": {"k": null}}))
        .await
        .assert_invalid(&["profile.k"]);
    let problem = service
        .json("PUT", PATH, &json!({"plan": "gold", "limit": 9}))
        .await
        .assert_invalid(&["plan"]);
    assert_eq!(
        problem["errors"][0]["message"],
        "is not a plan that the server's configuration knows"
    );
    assert_eq!(service.get(PATH).await.status, 404, "nothing was changed");
}
