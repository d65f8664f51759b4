//! stream-requests: JSON bodies, an id in a query, and answers in plain text.

use serde_json::json;

use super::{Bad, NO_VALUES, OTHER_METHODS, bad, no_ids, no_objects, refuses};
use crate::dialects::dialect::Dialect;

const CALLS: [&str; 3] = ["/createuser", "/removeuser", "/requeststream"];

#[test]
fn mistakes_are_refused() {
    let mut requests: Vec<Bad> = Vec::new();
    for path in CALLS {
        for body in no_objects() {
            requests.push(bad("POST", path, 400).with(body));
        }
        let large = json!({
            "id": "known", "stream": "s2", "Name": "N", "Subscription": "S", "more": "x".repeat(17_000)
        });
        requests.push(bad("POST", path, 413).with(large.to_string()));
        for method in OTHER_METHODS
            .into_iter()
            .chain(["GET", "DELETE", "OPTIONS"])
        {
            requests.push(bad(method, path, 404));
        }
        requests.push(bad("POST", format!("{path}/more"), 404).with(r#"{"id":"known"}"#));
    }
    for path in ["/user", "/getuser/known", "/getallusers/x"] {
        requests.push(bad("GET", path, 404));
    }
    for path in ["/getuser?id=known", "/getallusers", "/"] {
        for method in ["PUT", "PATCH", "DELETE", "POST", "OPTIONS"] {
            requests.push(bad(method, path, 404));
        }
    }
    refuses(Dialect::StreamRequests, &requests);
}

#[test]
fn wrong_members_are_refused() {
    let mut requests: Vec<Bad> = Vec::new();
    let long = ["x".repeat(300), "x".repeat(5_000)].map(|id| format!("\"{id}\""));
    for value in NO_VALUES.into_iter().chain(long.iter().map(String::as_str)) {
        let mut wrong = |path, body: String| requests.push(bad("POST", path, 400).with(body));
        wrong(
            "/createuser",
            format!(r#"{{"Name":"N","Subscription":"S","id":{value}}}"#),
        );
        wrong(
            "/createuser",
            format!(r#"{{"Name":{value},"Subscription":"S","id":"a"}}"#),
        );
        wrong(
            "/createuser",
            format!(r#"{{"Name":"N","Subscription":{value},"id":"b"}}"#),
        );
        wrong("/removeuser", format!(r#"{{"id":{value}}}"#));
        wrong(
            "/requeststream",
            format!(r#"{{"id":{value},"stream":"s2"}}"#),
        );
        wrong(
            "/requeststream",
            format!(r#"{{"id":"known","stream":{value}}}"#),
        );
    }
    for body in ["{}", r#"{"id":""}"#, r#"{"id":null}"#, r#"{"ID":"known"}"#] {
        requests.push(bad("POST", "/removeuser", 400).with(body));
        requests.push(bad("POST", "/requeststream", 400).with(body));
    }
    for body in [
        r#"{"id":"known"}"#,
        r#"{"id":"known","stream":""}"#,
        r#"{"id":"known","stream":null}"#,
        r#"{"id":"unknown","stream":"s2"}"#,
    ] {
        let request = bad("POST", "/requeststream", 400).with(body);
        requests.push(request.says("Bad Request"));
    }
    for body in [
        r#"{}"#,
        r#"{"id":"a"}"#,
        r#"{"Name":"N","Subscription":7,"id":"a"}"#,
        r#"{"Subscription":"S","id":"a"}"#,
        r#"{"Name":"","Subscription":"S","id":"a"}"#,
        r#"{"name":"N","subscription":"S","id":"a"}"#,
    ] {
        requests.push(bad("POST", "/createuser", 400).with(body));
    }
    requests.push(bad("POST", "/removeuser", 404).with(r#"{"id":"unknown"}"#));
    refuses(Dialect::StreamRequests, &requests);
}

#[test]
fn wrong_queries_are_refused() {
    let mut requests: Vec<Bad> = Vec::new();
    for query in [
        "",
        "?",
        "?id",
        "?id=",
        "?ID=known",
        "?id=unknown",
        "?id[]=known",
    ] {
        requests.push(bad("GET", format!("/getuser{query}"), 400).says("Bad Request"));
    }
    requests.push(bad("GET", "/getuser?id=known&id=known", 400));
    for id in no_ids() {
        requests.push(bad("GET", format!("/getuser?id={id}"), 400));
    }
    refuses(Dialect::StreamRequests, &requests);
}
