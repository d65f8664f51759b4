//! `/compat/stream-requests/`.

mod lists;
mod mistakes;

use axum::body::Body;
use serde_json::{Value, json};
use streamgate_server::DialectName;

use crate::support::{Answer, MADE_V4_ID, Service, request};

const AT: &str = "/compat/stream-requests";
const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl Service {
    async fn requests_get(&self, path: &str) -> Answer {
        self.get(&format!("{AT}{path}")).await
    }

    /// A call with this body, said to be something else.
    async fn requests_post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.raw("POST", &format!("{AT}{path}"), "text/plain", body)
            .await
    }

    /// Creates the user `u`.
    async fn create_u(&self) {
        let user = json!({ "Name": "N", "Subscription": "S", "id": "u" });
        let created = self.requests_post("/createuser", user.to_string()).await;
        created.assert_sentence("N created");
    }

    async fn request_stream(&self, user: &str, stream: &str) -> Answer {
        let body = json!({ "id": user, "stream": stream });
        self.requests_post("/requeststream", body.to_string()).await
    }
}

impl Answer {
    /// Asserts a sentence, which no browser runs.
    #[track_caller]
    fn assert_sentence(&self, text: &str) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            self.header("content-security-policy"),
            Some("default-src 'none'; sandbox")
        );
        self.assert_text(200, HTML, text);
    }

    #[track_caller]
    fn assert_plain(&self, status: u16, text: &str) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        self.assert_text(status, TEXT, text);
    }

    /// Asserts JSON, to the byte.
    #[track_caller]
    fn assert_written(&self, text: &str) {
        self.assert_text(200, JSON, text);
    }
}

/// A user as it is written. The arguments are JSON.
fn user(name: &str, subscription: &str, watching: &[&str]) -> String {
    let (count, list) = (watching.len(), json!(watching));
    let online = format!(r#"{{"Streams":{{"activeStreams":{count},"watching":{list}}}}}"#);
    let status = format!(r#"{{"Online":{online},"offline":{{"lastOnline":null}}}}"#);
    format!(r#"{{"Name":{name},"Subscription":{subscription},"Status":{status}}}"#)
}

#[tokio::test]
async fn the_root_is_there_with_and_without_its_slash() {
    let service = Service::at_root(DialectName::StreamRequests);
    for path in ["/", AT, &format!("{AT}/")] {
        service.get(path).await.assert_plain(200, "OK");
    }
}

#[tokio::test]
async fn a_user_is_created_watches_and_is_removed() {
    let service = Service::open();
    let body = r#"{
        "Name": "Van Persie", "id": "010", "Subscription": "basic plan",
        "Status": {"Online": {"Streams": {"activeStreams": 2, "watching": ["x", "y"]}}}
    }"#;
    let created = service.requests_post("/createuser", body).await;
    created.assert_sentence("Van Persie created");
    assert_eq!(created.header("location"), Some("getuser?id=010"));
    let found = service.requests_get("/getuser?id=010").await;
    found.assert_written(&user(r#""Van Persie""#, r#""basic plan""#, &[]));

    for stream in ["stream_1", "stream_0", "stream_2"] {
        let started = service.request_stream("010", stream).await;
        started.assert_sentence(&format!("Request for {stream} succesful"));
        service.advance(1);
    }
    let again = service.request_stream("010", "stream_1").await;
    again.assert_sentence("User 010 is already watching stream_1");
    let refused = service.request_stream("010", "stream_3").await;
    refused.assert_sentence("User - 010 has exceeded maximum concurrent streams allowed.");
    let found = service.requests_get("/getuser?id=010").await;
    let watching = ["stream_1", "stream_0", "stream_2"];
    found.assert_written(&user(r#""Van Persie""#, r#""basic plan""#, &watching));

    let removed = service
        .requests_post("/removeuser", r#"{"id":"010"}"#)
        .await;
    removed.assert_sentence("user 010 successfully deleted");
    let again = service
        .requests_post("/removeuser", r#"{"id":"010"}"#)
        .await;
    again.assert_plain(404, "user 010 does not exist");
    let gone = service.requests_get("/getuser?id=010").await;
    gone.assert_plain(400, "Bad Request");
    let gone = service.request_stream("010", "s").await;
    gone.assert_plain(400, "Bad Request");
}

/// As docs/migrating.md says: ids of other APIs are compared as they are.
#[tokio::test]
async fn a_session_of_another_api_with_capital_letters_is_another_stream() {
    let service = Service::open();
    service.create_u().await;
    service.start(&["TV", "film"]).await;
    let started = service.request_stream("u", "TV").await;
    started.assert_sentence("Request for TV succesful");
    let again = service.request_stream("u", "FILM").await;
    again.assert_sentence("User u is already watching FILM");
    let list = service.get("/v1/users/u/sessions").await.json();
    let sessions = list["sessions"].as_array().unwrap().iter();
    let ids: Vec<&str> = sessions
        .map(|one| one["session_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["TV", "film", "tv"]);
}

#[tokio::test]
async fn a_user_without_an_id_is_given_one_and_told() {
    let service = Service::open();
    for body in [
        r#"{"Name":"N","Subscription":"S"}"#,
        r#"{"Name":"N","Subscription":"S","id":null}"#,
    ] {
        let created = service.requests_post("/createuser", body).await;
        created.assert_sentence("N created");
        let location = created.header("location").unwrap();
        assert_eq!(location, format!("getuser?id={MADE_V4_ID}"));
        let found = service.requests_get(&format!("/{location}")).await;
        found.assert_written(&user(r#""N""#, r#""S""#, &[]));
    }
}

#[tokio::test]
async fn the_location_leads_to_the_user_whatever_its_id() {
    let service = Service::open();
    for id in ["a b", "a+b", "a&b=c#d", "ü/%2F", "\"<>\"", "a.b-c_d~e"] {
        let body = json!({ "Name": id, "Subscription": "S", "id": id });
        let created = service.requests_post("/createuser", body.to_string()).await;
        created.assert_sentence(&format!("{id} created"));
        let location = created.header("location").unwrap();
        let found = service.requests_get(&format!("/{location}")).await;
        found.assert_written(&user(&json!(id).to_string(), r#""S""#, &[]));
    }
}

#[tokio::test]
async fn a_user_that_is_created_again_begins_again_under_its_limit() {
    let service = Service::open();
    service
        .set_user(
            "u",
            &json!({ "plan": "rolling", "limit": 1, "profile": { "colour": "red" } }),
        )
        .await;
    service.start(&["x"]).await;
    service.create_u().await;
    let found = service.requests_get("/getuser?id=u").await;
    found.assert_written(&user(r#""N""#, r#""S""#, &[]));
    let view = service.get("/v1/users/u").await.json();
    assert_eq!(view["plan"], "rolling");
    assert_eq!(view["limit"], 1);
    assert_eq!(view["profile"], json!({ "Name": "N", "Subscription": "S" }));
}

#[tokio::test]
async fn users_and_sessions_are_shared_with_v1() {
    let service = Service::open();
    service.set_user("u", &json!({ "limit": 1 })).await;
    service.start(&["x"]).await;
    // One that was not created here has no name, and is known all the same.
    let found = service.requests_get("/getuser?id=u").await;
    found.assert_written(&user("null", "null", &["x"]));
    let refused = service.request_stream("u", "y").await;
    refused.assert_sentence("User - u has exceeded maximum concurrent streams allowed.");
    let live = service.request_stream("u", "x").await;
    live.assert_sentence("User u is already watching x");

    service.call("DELETE", "/v1/users/u/sessions/x").await;
    let started = service.request_stream("u", "y").await;
    started.assert_sentence("Request for y succesful");
    let sessions = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(sessions["sessions"][0]["session_id"], "y");
    // Twelve hours, because these players send no heartbeats.
    assert_eq!(
        sessions["sessions"][0]["expires_at"],
        "2026-11-21T18:30:00.000Z"
    );
    // A plan that evicts does so here, and the sentence is that of a start.
    service
        .set_user("u", &json!({ "plan": "rolling", "limit": null }))
        .await;
    for stream in ["z", "w"] {
        service.advance(1);
        let started = service.request_stream("u", stream).await;
        started.assert_sentence(&format!("Request for {stream} succesful"));
    }
    let found = service.requests_get("/getuser?id=u").await;
    found.assert_written(&user("null", "null", &["z", "w"]));
}

#[tokio::test]
async fn a_user_lives_as_long_as_its_profile() {
    let service = Service::open();
    service.create_u().await;
    service.advance(24 * 60 * 60);
    let found = service.requests_get("/getuser?id=u").await;
    found.assert_written(&user(r#""N""#, r#""S""#, &[]));
}

#[tokio::test]
async fn whole_numbers_are_names_too() {
    let service = Service::open();
    let body = r#"{"Name":"N","Subscription":"S","id":10}"#;
    let created = service.requests_post("/createuser", body).await;
    assert_eq!(created.header("location"), Some("getuser?id=10"));
    let started = service
        .requests_post("/requeststream", r#"{"id":"10","stream":7.0}"#)
        .await;
    started.assert_sentence("Request for 7 succesful");
    let live = service
        .requests_post("/requeststream", r#"{"id":1e1,"stream":"7"}"#)
        .await;
    live.assert_sentence("User 10 is already watching 7");
    let removed = service.requests_post("/removeuser", r#"{"id":10}"#).await;
    removed.assert_sentence("user 10 successfully deleted");
}

#[tokio::test]
async fn paths_ignore_case_and_ids_do_not() {
    let service = Service::open();
    let body = r#"{"Name":"N","Subscription":"S","id":"U"}"#;
    let created = service.requests_post("/CreateUser/", body).await;
    created.assert_sentence("N created");
    let found = service.requests_get("/GETUSER/?id=U").await;
    assert_eq!(found.status, 200, "{}", found.text());
    let other = service.requests_get("/getuser?id=u").await;
    other.assert_plain(400, "Bad Request");
}

#[tokio::test]
async fn callers_words_come_back_as_they_are_and_run_nowhere() {
    let service = Service::open();
    let word = "<script>alert(1)</script>";
    let body = json!({ "Name": word, "Subscription": "S", "id": word });
    let created = service.requests_post("/createuser", body.to_string()).await;
    created.assert_sentence(&format!("{word} created"));
    let started = service.request_stream(word, word).await;
    started.assert_sentence(&format!("Request for {word} succesful"));
    let body = json!({ "id": "<b>" }).to_string();
    let unknown = service.requests_post("/removeuser", body).await;
    unknown.assert_plain(404, "user <b> does not exist");
}

#[tokio::test]
async fn a_store_that_is_down_is_a_503_that_says_when_to_try_again() {
    let service = Service::open();
    service.break_store().await;
    let message = "the store cannot be used now; send the same request again";
    for path in ["/getuser?id=u", "/getallusers"] {
        let answer = service.requests_get(path).await;
        answer.assert_plain(503, message);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let body = r#"{"Name":"N","Subscription":"S","id":"u","stream":"s"}"#;
    for path in ["/createuser", "/removeuser", "/requeststream"] {
        let answer = service.requests_post(path, body).await;
        answer.assert_plain(503, message);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    service.requests_get("/").await.assert_plain(200, "OK");
}

#[tokio::test]
async fn a_damaged_record_is_a_500_that_says_nothing_about_itself() {
    let service = Service::open();
    service.damage("u").await;
    for answer in [
        service.requests_get("/getuser?id=u").await,
        service.request_stream("u", "s").await,
    ] {
        answer.assert_plain(500, "the request could not be answered");
    }
    let others = service.requests_get("/getallusers").await;
    others.assert_written(r#"{"Users":{}}"#);
}

#[tokio::test]
async fn a_user_may_be_asked_about_too_often() {
    let service = Service::once_a_second();
    service.create_u().await;
    let stream = service.request_stream("u", "s").await;
    let found = service.requests_get("/getuser?id=u").await;
    for answer in [stream, found] {
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some(TEXT));
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn a_key_is_asked_for_where_there_are_keys() {
    let service = Service::keyed();
    service.requests_get("/").await.assert_plain(200, "OK");
    let body = r#"{"Name":"N","Subscription":"S","id":"u","stream":"s"}"#;
    // In this order: what each does, and the least key that may.
    for (method, path, key, below) in [
        ("POST", "/createuser", "service", Some("player")),
        ("POST", "/requeststream", "player", None),
        ("GET", "/getuser?id=u", "service", Some("player")),
        ("GET", "/getallusers", "admin", Some("service")),
        ("POST", "/removeuser", "service", Some("player")),
    ] {
        let ask = |key: Option<&str>| {
            let mut ask = request(method, &format!("{AT}{path}"), body.into());
            if let Some(key) = key {
                let headers = ask.headers_mut();
                headers.insert("x-api-key", key.parse().unwrap());
            }
            service.send(ask)
        };
        let anonymous = ask(None).await;
        anonymous.assert_plain(401, "the request brings no API key");
        if let Some(below) = below {
            let answer = ask(Some(below)).await;
            let message = format!("this needs a key of scope {key}; the key has scope {below}");
            answer.assert_plain(403, &message);
        }
        let answer = ask(Some(key)).await;
        assert_eq!(answer.status, 200, "{path} {}", answer.text());
    }
}

#[tokio::test]
async fn no_call_lifts_a_limit() {
    let service = Service::open();
    service.set_user("u", &json!({ "limit": 1 })).await;
    for call in [
        ("/createuser", r#"{"id":"u","Name":"n","Subscription":"s"}"#),
        ("/removeuser", r#"{"id":"u"}"#),
        ("/createuser", r#"{"id":"u","Name":"n","Subscription":"s"}"#),
    ] {
        let answer = service.requests_post(call.0, call.1).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let user = service.get("/v1/users/u").await.json();
        assert_eq!(user["limit"], 1, "after {}", call.0);
    }
    let removed = service.requests_post("/removeuser", r#"{"id":"u"}"#).await;
    assert_eq!(removed.status, 200);
    let user = service.get("/v1/users/u").await.json();
    assert_eq!(user["profile"], json!({}));
}

/// The original asked for no subscription.
#[tokio::test]
async fn a_user_needs_no_subscription() {
    let service = Service::open();
    for (body, subscription) in [
        (r#"{"Name":"n","id":"u"}"#, Value::Null),
        (r#"{"Name":"n","id":"u","Subscription":null}"#, Value::Null),
        (r#"{"Name":"n","id":"u","Subscription":""}"#, json!("")),
    ] {
        let created = service.requests_post("/createuser", body).await;
        created.assert_sentence("n created");
        let user = service.requests_get("/getuser?id=u").await.json();
        assert_eq!(user["Name"], "n");
        assert_eq!(user["Subscription"], subscription);
    }
}

#[tokio::test]
async fn names_of_streams_are_compared_without_case() {
    let service = Service::open();
    service.create_u().await;
    for (stream, said) in [
        ("Film", "Request for Film succesful"),
        ("film", "User u is already watching film"),
        ("FILM", "User u is already watching FILM"),
        ("other", "Request for other succesful"),
    ] {
        service
            .request_stream("u", stream)
            .await
            .assert_sentence(said);
    }
    let user = service.requests_get("/getuser?id=u").await.json();
    let streams = &user["Status"]["Online"]["Streams"];
    assert_eq!(
        *streams,
        json!({ "activeStreams": 2, "watching": ["Film", "other"] })
    );
    let sessions = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(sessions["sessions"][0]["session_id"], "film");
    // Started elsewhere, what is played does not name the stream.
    let body = json!({ "content_id": "Film-1917" });
    service.json("PUT", "/v1/users/u/sessions/tv", &body).await;
    let user = service.requests_get("/getuser?id=u").await.json();
    assert_eq!(user["Status"]["Online"]["Streams"]["watching"][2], "tv");
}

/// What the document says of ids and what is answered agree.
#[tokio::test]
async fn ids_are_whole_numbers_of_64_bits_or_texts_within_their_bounds() {
    let service = Service::open();
    for (id, status) in [
        ("9223372036854775808", 200),
        ("18446744073709551615", 200),
        ("18446744073709551616", 400),
        ("-9223372036854775808", 200),
        (r#""""#, 400),
    ] {
        let body = format!(r#"{{"Name":"n","id":{id}}}"#);
        let created = service.requests_post("/createuser", body).await;
        assert_eq!(created.status, status, "{id}: {}", created.text());
        let body = format!(r#"{{"id":{id}}}"#);
        let removed = service.requests_post("/removeuser", body).await;
        assert_eq!(removed.status, status, "{id}: {}", removed.text());
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_as_such() {
    let service = Service::open();
    for path in ["/createuser", "/removeuser", "/requeststream"] {
        let mut ask = request("POST", &format!("{AT}{path}"), vec![0x1f, 0x8b, 8].into());
        let headers = ask.headers_mut();
        headers.insert("content-encoding", "gzip".parse().unwrap());
        let answer = service.send(ask).await;
        let message = "the body must be sent as it is, without a content encoding";
        answer.assert_plain(415, message);
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
}
