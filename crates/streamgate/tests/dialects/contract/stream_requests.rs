//! stream-requests: users that are made, shown, reset and removed, and what they watch.

use serde_json::{Value, json};

use super::ask;
use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

const DIALECT: Dialect = Dialect::StreamRequests;

fn get(service: &Service, path: &str) -> (u16, String) {
    ask(service, DIALECT, ("GET", path), "")
}

fn post(service: &Service, path: &str, body: &str) -> (u16, String) {
    ask(service, DIALECT, ("POST", path), body)
}

fn request(service: &Service, user: &str, stream: &str) -> String {
    let body = format!(r#"{{"id":"{user}","stream":"{stream}"}}"#);
    let (status, text) = post(service, "/requeststream", &body);
    assert_eq!(status, 200, "{text}");
    text
}

fn create(service: &Service, id: &str, name: &str) {
    let body = format!(r#"{{"Name":"{name}","Subscription":"basic plan","id":"{id}"}}"#);
    let created = (200, format!("{name} created"));
    assert_eq!(post(service, "/createuser", &body), created);
}

/// A user as it is shown, to the letter.
fn shown(name: &str, watching: &[&str]) -> String {
    let (active, watching) = (watching.len(), Value::from(watching));
    let online = format!(r#"{{"Streams":{{"activeStreams":{active},"watching":{watching}}}}}"#);
    let status = format!(r#"{{"Online":{online},"offline":{{"lastOnline":null}}}}"#);
    format!(r#"{{"Name":"{name}","Subscription":"basic plan","Status":{status}}}"#)
}

#[test]
fn a_user_watches_up_to_the_limit() {
    let service = Service::start(&[]);
    create(&service, "010", "Robin");
    for stream in ["c", "a", "b"] {
        let said = format!("Request for {stream} succesful");
        assert_eq!(request(&service, "010", stream), said);
    }
    let exceeded = "User - 010 has exceeded maximum concurrent streams allowed.";
    assert_eq!(request(&service, "010", "d"), exceeded);
    // That a stream is live already is looked at first.
    assert_eq!(
        request(&service, "010", "a"),
        "User 010 is already watching a"
    );
    let robin = (200, shown("Robin", &["c", "a", "b"]));
    assert_eq!(get(&service, "/getuser?id=010"), robin);
    assert_eq!(service.live("010"), ["c", "a", "b"]);
}

#[test]
fn all_users_are_shown() {
    let service = Service::start(&[]);
    assert_eq!(
        get(&service, "/getallusers"),
        (200, r#"{"Users":{}}"#.to_owned())
    );
    create(&service, "010", "Robin");
    assert_eq!(request(&service, "010", "s"), "Request for s succesful");
    let robin = shown("Robin", &["s"]);
    let one = format!(r#"{{"Users":{{"010":{robin}}}}}"#);
    assert_eq!(get(&service, "/getallusers"), (200, one));
    create(&service, "011", "Dennis");
    let (status, text) = get(&service, "/getallusers");
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, all["Users"].as_object().unwrap().len()), (200, 2));
    let dennis: Value = serde_json::from_str(&shown("Dennis", &[])).unwrap();
    assert_eq!(all["Users"]["011"], dennis);
}

/// More users than a page of the store has.
#[test]
fn all_users_means_all() {
    let service = Service::start(&[]);
    for i in 0..1_100 {
        create(&service, &format!("u{i}"), "N");
    }
    let (_, text) = get(&service, "/getallusers");
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["Users"].as_object().unwrap().len(), 1_100);
}

#[test]
fn ids_and_names_may_be_any_text() {
    let service = Service::start(&[]);
    let texts = [r#"a"b"#, r"a\b", "é 🎬", "</Users>", "a/b?c&d", "__proto__"];
    for text in texts {
        let body = json!({ "Name": text, "Subscription": "basic plan", "id": text }).to_string();
        let created = (200, format!("{text} created"));
        assert_eq!(post(&service, "/createuser", &body), created);
        let stream = json!({ "id": text, "stream": text }).to_string();
        let requested = (200, format!("Request for {text} succesful"));
        assert_eq!(post(&service, "/requeststream", &stream), requested);
    }
    let (_, text) = get(&service, "/getallusers");
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["Users"].as_object().unwrap().len(), texts.len());
    for text in texts {
        let user = &all["Users"][text];
        assert_eq!(user["Name"], text);
        assert_eq!(
            user["Status"]["Online"]["Streams"]["watching"],
            json!([text])
        );
    }
}

/// Answers are pages to browsers, as they always were, and have the callers' words in them.
#[test]
fn no_word_of_a_caller_runs_as_a_script() {
    let service = Service::start(&[]);
    let script = "<script>alert(1)</script>";
    let body = json!({ "Name": script, "Subscription": "S", "id": script }).to_string();
    let stream = json!({ "id": script, "stream": script }).to_string();
    let unknown = json!({ "id": "<script>" }).to_string();
    for (path, body) in [
        ("/createuser", &body),
        ("/requeststream", &stream),
        ("/requeststream", &stream),
        ("/removeuser", &body),
        ("/removeuser", &unknown),
    ] {
        let answer = service.raw(("POST", &DIALECT.at(path)), &[], body.as_bytes());
        assert!(answer.text.contains("<script>"), "{answer:?}");
        let policy = answer.header("content-security-policy");
        let is_plain = answer.header("content-type").starts_with("text/plain");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(
            is_plain || policy.contains("default-src 'none'"),
            "{answer:?}"
        );
    }
}

#[test]
fn what_other_dialects_started_is_watched_too() {
    let service = Service::start(&[]);
    create(&service, "010", "Robin");
    let started = service.start_session(Dialect::UserStreams, "010", "tv");
    assert_eq!(started.status, 200);
    assert_eq!(
        get(&service, "/getuser?id=010"),
        (200, shown("Robin", &["tv"]))
    );
    assert_eq!(
        request(&service, "010", "tv"),
        "User 010 is already watching tv"
    );
}

#[test]
fn a_user_that_is_created_again_begins_again() {
    let service = Service::start(&[]);
    create(&service, "010", "Robin");
    for stream in ["a", "b", "c"] {
        request(&service, "010", stream);
    }
    create(&service, "010", "Arjen");
    assert_eq!(get(&service, "/getuser?id=010"), (200, shown("Arjen", &[])));
    assert_eq!(service.live("010"), [""; 0]);
    assert_eq!(request(&service, "010", "d"), "Request for d succesful");
}

#[test]
fn a_user_that_is_removed_is_unknown() {
    let service = Service::start(&[]);
    create(&service, "010", "Robin");
    request(&service, "010", "a");
    let body = r#"{"id":"010"}"#;
    let deleted = (200, "user 010 successfully deleted".to_owned());
    assert_eq!(post(&service, "/removeuser", body), deleted);
    assert_eq!(post(&service, "/removeuser", body).0, 404);
    let unknown = (400, "Bad Request".to_owned());
    assert_eq!(get(&service, "/getuser?id=010"), unknown);
    let start = r#"{"id":"010","stream":"a"}"#;
    assert_eq!(post(&service, "/requeststream", start), unknown);
    assert_eq!(service.everything().users, [""; 0]);
}

/// Who sends no id must be told which one was made; the original kept it to itself.
#[test]
fn an_id_that_is_made_is_told() {
    let service = Service::start(&["compat.root=stream-requests"]);
    let body = r#"{"Name":"Robin","Subscription":"basic plan"}"#.as_bytes();
    let mut places = Vec::new();
    for prefix in ["/compat/stream-requests", ""] {
        let answer = service.raw(("POST", &format!("{prefix}/createuser")), &[], body);
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, "Robin created")
        );
        let location = answer.header("location").to_owned();
        // Relative to where it was asked, or from the root.
        let place = match location.strip_prefix('/') {
            Some(_) => location,
            None => format!("{prefix}/{location}"),
        };
        let shown_there = service.raw(("GET", &place), &[], b"");
        assert_eq!(
            (shown_there.status, shown_there.text),
            (200, shown("Robin", &[])),
            "{place}"
        );
        places.push(place);
    }
    assert_ne!(places[0], places[1]);
    assert_eq!(service.everything().users.len(), 2);
}

#[test]
fn paths_ignore_case_and_bodies_their_content_type() {
    let service = Service::start(&[]);
    let body = r#"{"Name":"Robin","Subscription":"basic plan","id":"Id"}"#;
    for (i, kind) in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-8",
    ]
    .into_iter()
    .enumerate()
    {
        let path = DIALECT.at(["/CreateUser", "/CREATEUSER", "/createUser"][i]);
        let answer = service.raw(("POST", &path), &[("content-type", kind)], body.as_bytes());
        assert_eq!(answer.text, "Robin created", "{path} {kind}: {answer:?}");
    }
    assert_eq!(get(&service, "/GetUser?id=Id"), (200, shown("Robin", &[])));
    // Ids do not.
    assert_eq!(get(&service, "/getuser?id=id").0, 400);
    let (status, text) = post(&service, "/RequestStream", r#"{"id":"Id","stream":"S"}"#);
    assert_eq!((status, text.as_str()), (200, "Request for S succesful"));
    // Names of streams do.
    let (status, text) = post(&service, "/requeststream", r#"{"id":"Id","stream":"s"}"#);
    assert_eq!(
        (status, text.as_str()),
        (200, "User Id is already watching s")
    );
    assert_eq!(service.live("Id"), ["s"]);
    assert_eq!(
        get(&service, "/getuser?id=Id"),
        (200, shown("Robin", &["S"]))
    );
}
