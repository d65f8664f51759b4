//! user-streams: two ids in the path, and a GET that must be no HEAD.

use super::{Bad, OTHER_METHODS, bad, no_ids, refuses};
use crate::dialects::dialect::Dialect;

#[test]
fn mistakes_are_refused() {
    let mut requests: Vec<Bad> = Vec::new();
    for id in no_ids() {
        requests.push(bad("GET", format!("/user-streams/{id}/s2"), 400));
        requests.push(bad("GET", format!("/user-streams/known/{id}"), 400));
        requests.push(bad("DELETE", format!("/user-streams/{id}"), 400));
    }
    requests.push(bad(
        "GET",
        format!("/user-streams/{}/s2", "u".repeat(257)),
        400,
    ));
    requests.push(bad(
        "GET",
        format!("/user-streams/known/{}", "s".repeat(129)),
        400,
    ));
    for path in [
        "/user-streams",
        "/user-streams/",
        "/user-streams//",
        "/user-streams//s2",
        "/user-streams/known/",
        "/user-streams/known/s2/more",
        "/USER-STREAMS/known/s2",
        "/known/s2",
    ] {
        let request = bad("GET", path, 404);
        requests.push(request.says(r#""name":"NotFoundError","message":"Endpoint \"GET /"#));
    }
    for path in [
        "/user-streams",
        "/user-streams/",
        "/user-streams/known/s",
        "/known",
    ] {
        requests.push(bad("DELETE", path, 404).says("NotFoundError"));
    }
    for method in OTHER_METHODS.into_iter().chain(["POST"]) {
        for path in ["/user-streams/known/s2", "/user-streams/known"] {
            requests.push(bad(method, path, 404).says("not found."));
        }
    }
    for body in ["{", "\u{0}", "[]"] {
        requests.push(bad("POST", "/user-streams/known/s2", 404).with(body));
    }
    let unknown = r#""message":"Entity not found: UserStreams with id \"%zz\"","code":"#;
    requests.push(bad("DELETE", "/user-streams/%25zz", 404).says(unknown));
    let digits = "userId must have two hexadecimal digits behind each percent sign";
    requests.push(bad("DELETE", "/user-streams/%zz", 400).says(digits));
    refuses(Dialect::UserStreams, &requests);
}
