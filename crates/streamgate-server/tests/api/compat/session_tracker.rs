//! `/compat/session-tracker/`.

use serde_json::json;

use crate::support::{Answer, Service};

const JSON: &str = "application/json; charset=utf-8";

impl Service {
    async fn tracker(&self, call: &str) -> Answer {
        let path = format!("/compat/session-tracker{call}");
        self.call("POST", &path).await
    }
}

impl Answer {
    /// Asserts what the dialect says.
    #[track_caller]
    fn assert_says(&self, status: u16, message: &str) {
        self.assert_text(status, JSON, &json!({ "message": message }).to_string());
    }
}

#[tokio::test]
async fn sessions_are_counted_in_both_directions() {
    let service = Service::open();
    // Two by name, because the service of the tests makes one name only.
    service.start(&["x", "y"]).await;
    let added = service.tracker("/add-session?user_id=u").await;
    added.assert_says(200, "Number of active session incremented to 3");
    for left in [2, 1, 0] {
        let removed = service.tracker("/remove-session?user_id=u").await;
        removed.assert_says(
            200,
            &format!("Number of active session decremented to {left}"),
        );
    }
    let none = service.tracker("/remove-session?user_id=u").await;
    none.assert_says(409, "Already 0 active sessions, so can't remove any!");
}

#[tokio::test]
async fn the_limit_of_the_user_is_in_the_text() {
    let service = Service::open();
    service.set_user("u", &json!({ "limit": 2 })).await;
    service.start(&["x", "y"]).await;
    let refused = service.tracker("/add-session?user_id=u").await;
    refused.assert_says(409, "Max sessions of 2 reached.");
}

#[tokio::test]
async fn a_removal_ends_the_newest_session_of_any_kind() {
    let service = Service::open();
    service.start(&["old"]).await;
    service.advance(1);
    service.start(&["new"]).await;
    service.tracker("/remove-session?user_id=u").await;
    let left = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(left["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(left["sessions"][0]["session_id"], "old");
}

#[tokio::test]
async fn a_user_is_forgotten_after_the_revive_window() {
    let service = Service::open();
    let stranger = "Cannot decrement number of sessions for user which never existed!";
    let never_seen = service.tracker("/remove-session?user_id=u").await;
    never_seen.assert_says(200, stranger);
    service.tracker("/add-session?user_id=u").await;
    service.tracker("/remove-session?user_id=u").await;
    service.advance(599);
    let known = service.tracker("/remove-session?user_id=u").await;
    known.assert_says(409, "Already 0 active sessions, so can't remove any!");
    service.advance(1);
    let forgotten = service.tracker("/remove-session?user_id=u").await;
    forgotten.assert_says(200, stranger);
}

#[tokio::test]
async fn a_session_lasts_for_the_lease_of_the_dialects() {
    let service = Service::open();
    service.tracker("/add-session?user_id=u").await;
    let sessions = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(
        sessions["sessions"][0]["expires_at"],
        "2026-11-21T18:30:00.000Z"
    );
}

#[tokio::test]
async fn paths_ignore_case_and_a_slash_and_users_are_told_apart_by_number() {
    let service = Service::open();
    let added = service.tracker("/ADD-session/?user_id=007").await;
    added.assert_says(200, "Number of active session incremented to 1");
    assert_eq!(service.active("7").await, 1);
    let spaced = service.tracker("/add-session?user_id=a+b%2Bc").await;
    spaced.assert_says(200, "Number of active session incremented to 1");
    assert_eq!(service.active("a%20b+c").await, 1);
}

#[tokio::test]
async fn what_names_no_user_is_refused_and_says_so() {
    let service = Service::open();
    let long = format!("?user_id={}", "x".repeat(257));
    for (query, complaint) in [
        ("", "user_id must be given and not be empty"),
        ("?user_id=", "user_id must be given and not be empty"),
        ("?USER_ID=1", "user_id must be given and not be empty"),
        ("?user_id=1&user_id=1", "user_id is given more than once"),
        ("?user_id=%FF", "user_id must be UTF-8 when percent-decoded"),
        (
            "?user_id=%00",
            "user_id must not contain control characters",
        ),
        (&long, "user_id must be at most 256 bytes long, is 257"),
    ] {
        for call in ["/add-session", "/remove-session"] {
            let answer = service.tracker(&format!("{call}{query}")).await;
            answer.assert_says(400, complaint);
        }
    }
    service.assert_no_users().await;
}

#[tokio::test]
async fn other_methods_and_paths_are_no_calls() {
    let service = Service::open();
    for (method, path) in [
        ("GET", "/add-session?user_id=u"),
        ("HEAD", "/add-session?user_id=u"),
        ("PUT", "/remove-session?user_id=u"),
        ("POST", "/"),
        ("POST", "/add-sessions?user_id=u"),
    ] {
        let path = format!("/compat/session-tracker{path}");
        let answer = service.call(method, &path).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some(JSON));
    }
    service.assert_no_users().await;
}

#[tokio::test]
async fn a_store_that_is_down_is_a_500_that_says_when_to_try_again() {
    let service = Service::open();
    service.break_store().await;
    for call in ["/add-session?user_id=u", "/remove-session?user_id=u"] {
        let answer = service.tracker(call).await;
        answer.assert_says(
            500,
            "the store cannot be used now; send the same request again",
        );
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn a_key_is_asked_for_where_there_are_keys() {
    let call = "/compat/session-tracker/add-session?user_id=u";
    let service = Service::keyed();
    let anonymous = service.call("POST", call).await;
    anonymous.assert_says(401, "the request brings no API key");
    let other = service.call_as("other", "POST", call).await;
    assert_eq!(other.status, 200, "{}", other.text());
    // It speaks of the users of its tenant.
    let users = service.call_as("admin", "GET", "/v1/users").await.json();
    assert_eq!(users["users"], json!([]));
}

/// Zeros go away only after the bound has been looked at, as the document says.
#[tokio::test]
async fn a_number_is_bounded_as_it_is_written() {
    let service = Service::open();
    for (zeros, status) in [(255, 200), (256, 400)] {
        let user = format!("{}1", "0".repeat(zeros));
        let path = format!("/compat/session-tracker/add-session?user_id={user}");
        let answer = service.call("POST", &path).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

/// A decoder that takes a lone percent sign for itself would make one user of `a%zz` and `a%25zz`.
#[tokio::test]
async fn a_percent_sign_that_begins_no_encoded_byte_is_refused() {
    let service = Service::open();
    let message = "user_id must have two hexadecimal digits behind each percent sign";
    for user in ["a%zz", "a%", "%2", "%%"] {
        for call in ["add-session", "remove-session"] {
            let path = format!("/compat/session-tracker/{call}?user_id={user}");
            service.call("POST", &path).await.assert_says(400, message);
        }
        let path = format!("/compat/stream-requests/getuser?id={user}");
        assert_eq!(service.get(&path).await.status, 400, "{user}");
        let path = format!("/compat/user-streams/user-streams/{user}/s");
        assert_eq!(service.get(&path).await.status, 400, "{user}");
    }
    service.assert_no_users().await;
    let encoded = "/compat/session-tracker/add-session?user_id=a%25zz";
    assert_eq!(service.call("POST", encoded).await.status, 200);
}
