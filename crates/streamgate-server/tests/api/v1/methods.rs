//! Methods that a path has, and those it has not.

use crate::support::Service;

/// Every path with the methods that `Allow` must list.
const PATHS: [(&str, &[&str]); 15] = [
    ("/v1/users/u/sessions", &["GET", "HEAD", "POST"]),
    ("/v1/users/u/sessions/s", &["DELETE", "PUT"]),
    ("/v1/users/u/sessions/s/heartbeat", &["POST"]),
    ("/v1/users/u/sessions/s/stop", &["POST"]),
    ("/v1/users/u", &["DELETE", "GET", "HEAD", "PUT"]),
    ("/v1/users", &["GET", "HEAD"]),
    ("/v1/sessions", &["GET", "HEAD"]),
    ("/v1/heartbeats", &["POST"]),
    ("/v1/import", &["POST"]),
    ("/healthz", &["GET", "HEAD"]),
    ("/readyz", &["GET", "HEAD"]),
    ("/metrics", &["GET", "HEAD"]),
    ("/admin/backup", &["GET", "HEAD"]),
    ("/openapi.json", &["GET", "HEAD"]),
    ("/docs/", &["GET", "HEAD"]),
];

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_allowed() {
    let service = Service::keyed();
    for (path, allowed) in PATHS {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW",
        ] {
            let answer = service.call(method, path).await;
            if allowed.contains(&method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, 405, "{method} {path}");
            let mut listed: Vec<&str> = answer.header("allow").unwrap().split(',').collect();
            listed.sort_unstable();
            assert_eq!(listed, allowed, "{path}");
            if method == "HEAD" {
                answer.assert_empty(405);
            } else {
                answer.assert_problem(405, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::open();
    service.start(&["a"]).await;
    for path in [
        "/v1/users/u/sessions",
        "/v1/users/u",
        "/v1/sessions",
        "/healthz",
        "/",
    ] {
        let (get, head) = (service.get(path).await, service.call("HEAD", path).await);
        head.assert_empty(get.status.as_u16());
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let service = Service::keyed();
    for path in [
        "/v1",
        "/v1/",
        "/v2/users",
        "/v1/users/",
        "/v1/users/u/",
        "/v1/users/u/sessions/",
        "/v1/users/u/sessions/s/heartbeat/",
        "/v1/users/u/sessions/a/b",
        "/V1/users",
        "//v1/users",
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.assert_problem(404, "not_found");
    }
}
