//! session-tracker: one parameter in the query, and bodies that are ignored.

use super::{Bad, OTHER_METHODS, bad, no_ids, refuses};
use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

const PATHS: [&str; 2] = ["/add-session", "/remove-session"];

#[test]
fn mistakes_are_refused() {
    let mut requests: Vec<Bad> = Vec::new();
    for path in PATHS {
        for query in [
            "",
            "?",
            "?user_id",
            "?user_id=",
            "?user_id=&user_id=",
            "?user_id=known&user_id=known",
            "?user_id=known&user_id=other",
            "?user_id=known&user_id=",
            "?user_id[]=known",
            "?userid=known",
            "?USER_ID=known",
            "?other=known",
            "?=known",
        ] {
            requests.push(bad("POST", format!("{path}{query}"), 400).says("user_id"));
        }
        for id in no_ids() {
            requests.push(bad("POST", format!("{path}?user_id={id}"), 400).says("user_id"));
        }
        for method in OTHER_METHODS
            .into_iter()
            .chain(["GET", "DELETE", "OPTIONS"])
        {
            requests.push(bad(method, format!("{path}?user_id=known"), 404));
        }
        requests.push(bad("POST", format!("{path}/known"), 404));
        requests.push(bad("POST", format!("{path}//?user_id=known"), 404));
    }
    for path in [
        "",
        "/",
        "/?user_id=known",
        "/sessions?user_id=known",
        "/v1/users",
    ] {
        requests.push(bad("POST", path, 404));
        requests.push(bad("GET", path, 404));
    }
    refuses(Dialect::SessionTracker, &requests);
}

#[test]
fn a_body_is_ignored_whatever_it_is() {
    let service = Service::start(&[]);
    let large = vec![b'x'; 20_000];
    let bodies: [&[u8]; 5] = [b"{", b"\xff", b"[1]", b"{\"user_id\":\"other\"}", &large];
    for (i, body) in bodies.into_iter().enumerate() {
        let path = Dialect::SessionTracker.at(&format!("/add-session?user_id=u{i}"));
        let headers = [("content-type", "application/json")];
        let answer = service.raw(("POST", &path), &headers, body);
        let said = r#"{"message":"Number of active session incremented to 1"}"#;
        assert_eq!((answer.status, answer.text.as_str()), (200, said));
        assert_eq!(service.live(&format!("u{i}")).len(), 1);
    }
}

/// A client that writes its query as forms do sends a space as a plus.
#[test]
fn the_query_is_decoded_as_forms_write_it() {
    const SENT: [(&str, &str, &str); 7] = [
        ("user_id=a%2Fb", "a/b", "a%2Fb"),
        ("user_id=%C3%A9", "é", "%C3%A9"),
        ("user_id=a+b", "a b", "a%20b"),
        ("user_id=a%2Bb", "a+b", "a+b"),
        ("user_id=a%26user_id%3Db", "a&user_id=b", "a%26user_id%3Db"),
        ("other=x&user_id=a=b&", "a=b", "a=b"),
        ("%75ser_id=escaped", "escaped", "escaped"),
    ];
    let service = Service::start(&[]);
    for (query, meant, in_path) in SENT {
        let path = Dialect::SessionTracker.at(&format!("/add-session?{query}"));
        let answer = service.raw(("POST", &path), &[], b"");
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(service.live(in_path).len(), 1, "{meant}");
    }
    let mut meant = SENT.map(|(_, meant, _)| meant);
    meant.sort_unstable();
    assert_eq!(service.everything().users, meant);
}
