//! concurrency-service: two ids in the path, and a GET that must be no HEAD.

use super::{Bad, OTHER_METHODS, bad, no_ids, refuses};
use crate::dialects::dialect::Dialect;

fn path(user: &str, session: &str) -> String {
    format!("/dev/startSession/userId/{user}/sessionId/{session}")
}

#[test]
fn mistakes_are_refused() {
    let mut requests: Vec<Bad> = Vec::new();
    for (user, session) in [("", "s2"), ("known", ""), ("", "")] {
        let request = bad("GET", path(user, session), 400);
        requests.push(request.says("Please specify a userId and sessionId"));
    }
    for id in no_ids() {
        requests.push(bad("GET", path(&id, "s2"), 400).says("userId"));
        requests.push(bad("GET", path("known", &id), 400).says("sessionId"));
    }
    requests.push(bad("GET", path(&"u".repeat(257), "s2"), 400));
    requests.push(bad("GET", path("known", &"s".repeat(129)), 400));
    for method in OTHER_METHODS
        .into_iter()
        .chain(["POST", "DELETE", "OPTIONS"])
    {
        requests.push(bad(method, path("known", "s2"), 404));
        requests.push(bad(method, path("", "s2"), 404));
    }
    for path in [
        "",
        "/",
        "/dev",
        "/dev/startSession",
        "/dev/startSession/userId/known",
        "/dev/startSession/userId/known/sessionId",
        "/dev/startSession/userId/known/sessionId/s2/more",
        "/dev/startSession/sessionId/s2/userId/known",
        "/dev/startsession/userId/known/sessionId/s2",
        "/startSession/userId/known/sessionId/s2",
        "//startSession/userId/known/sessionId/s2",
        "/a/b/startSession/userId/known/sessionId/s2",
        "/dev/startSession?userId=known&sessionId=s2",
    ] {
        requests.push(bad("GET", path, 404).says(r#"{"message":"#));
    }
    refuses(Dialect::ConcurrencyService, &requests);
}
