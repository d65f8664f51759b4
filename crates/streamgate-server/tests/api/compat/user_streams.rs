//! `/compat/user-streams/`.

use axum::body::Body;
use serde_json::{Value, json};
use streamgate_server::{
    AllowedOrigins, CompatSettings, CorsSettings, DialectName, ServerSettings,
};

use crate::support::{Answer, Service, keys, request};

const AT: &str = "/compat/user-streams";
const JSON: &str = "application/json; charset=utf-8";

impl Service {
    async fn user_streams(&self, method: &str, path: &str) -> Answer {
        let answer = self.call(method, &format!("{AT}{path}")).await;
        answer.assert_for_any_page();
        answer
    }

    async fn watch(&self, user: &str, session: &str) -> Answer {
        let path = format!("/user-streams/{user}/{session}");
        self.user_streams("GET", &path).await
    }
}

impl Answer {
    /// Asserts what every answer of the dialect carries.
    #[track_caller]
    fn assert_for_any_page(&self) {
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            self.header("access-control-allow-credentials"),
            Some("true")
        );
        assert!(self.header("x-request-id").is_some());
    }

    /// Asserts who is watching, to the byte.
    #[track_caller]
    fn assert_streams(&self, user: &str, ids: &[&str], allow: bool) {
        let (user, list, count) = (json!(user), json!(ids), ids.len());
        let text = format!(
            r#"{{"userId":{user},"noOfStreams":{count},"sessionIds":{list},"allow":{allow}}}"#
        );
        self.assert_text(200, "application/json", &text);
    }

    /// Asserts what is wrong, to the byte.
    #[track_caller]
    fn assert_error(&self, status: u16, name: &str, message: &str) {
        let message = json!(message);
        let text =
            format!(r#"{{"error":{{"statusCode":{status},"name":"{name}","message":{message}}}}}"#);
        self.assert_text(status, JSON, &text);
    }

    /// Asserts that the user is not known; `id` is its id in quotes.
    #[track_caller]
    fn assert_no_entity(&self, id: &str) {
        let message = json!(format!("Entity not found: UserStreams with id {id}"));
        let code = r#""code":"ENTITY_NOT_FOUND""#;
        let text = format!(
            r#"{{"error":{{"statusCode":404,"name":"Error","message":{message},{code}}}}}"#
        );
        self.assert_text(404, JSON, &text);
    }
}

#[tokio::test]
async fn sessions_start_until_the_limit_and_then_the_answer_is_still_200() {
    let service = Service::open();
    let ids = ["b", "a", "c"];
    for count in 1..=3 {
        let answer = service.watch("u", ids[count - 1]).await;
        answer.assert_streams("u", &ids[..count], true);
        service.advance(1);
    }
    service
        .watch("u", "d")
        .await
        .assert_streams("u", &ids, false);
    service
        .watch("u", "a")
        .await
        .assert_streams("u", &ids, true);
}

#[tokio::test]
async fn the_limit_of_the_user_counts_and_sessions_are_shared_with_v1() {
    let service = Service::open();
    service.set_user("u", &json!({ "limit": 2 })).await;
    service.start(&["x"]).await;
    service
        .watch("u", "y")
        .await
        .assert_streams("u", &["x", "y"], true);
    service
        .watch("u", "z")
        .await
        .assert_streams("u", &["x", "y"], false);
    let sessions = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(sessions["sessions"][1]["session_id"], "y");
    // Twelve hours, because these players send no heartbeats.
    assert_eq!(
        sessions["sessions"][1]["expires_at"],
        "2026-11-21T18:30:00.000Z"
    );
}

#[tokio::test]
async fn a_limit_of_nothing_and_a_policy_that_evicts_are_told_as_they_are() {
    let service = Service::open();
    service.set_user("u", &json!({ "limit": 0 })).await;
    service
        .watch("u", "x")
        .await
        .assert_streams("u", &[], false);

    service.set_user("v", &json!({ "plan": "rolling" })).await;
    for id in ["1", "2"] {
        service.watch("v", id).await;
        service.advance(1);
    }
    service
        .watch("v", "3")
        .await
        .assert_streams("v", &["2", "3"], true);
}

#[tokio::test]
async fn ids_are_decoded_and_otherwise_taken_as_they_are() {
    let service = Service::open();
    for (written, meant) in [
        ("a%2Fb", "a/b"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%C3%BC", "ü"),
        ("%22", "\""),
        ("U", "U"),
        ("u", "u"),
        ("..", ".."),
        ("%252F", "%2F"),
    ] {
        let answer = service.watch(written, written).await;
        answer.assert_streams(meant, &[meant], true);
    }
    let deleted = service.user_streams("DELETE", "/user-streams/%22").await;
    deleted.assert_empty(204);
    let deleted = service.user_streams("DELETE", "/user-streams/%22").await;
    deleted.assert_no_entity(r#""\"""#);
    let with_query = service.watch("u", "u?x=1").await;
    with_query.assert_streams("u", &["u"], true);
}

#[tokio::test]
async fn ids_that_are_not_valid_are_refused_and_nothing_starts() {
    let service = Service::open();
    let long_user = "x".repeat(257);
    let long_session = "x".repeat(129);
    for (user, session, message) in [
        ("%FF", "s", "userId must be UTF-8 when percent-decoded"),
        ("u", "%FF", "sessionId must be UTF-8 when percent-decoded"),
        ("%00", "s", "userId must not contain control characters"),
        ("u", "%0A", "sessionId must not contain control characters"),
        (
            &long_user,
            "s",
            "userId must be at most 256 bytes long, is 257",
        ),
        (
            "u",
            &long_session,
            "sessionId must be at most 128 bytes long, is 129",
        ),
    ] {
        let answer = service.watch(user, session).await;
        answer.assert_error(400, "BadRequestError", message);
    }
    let deleted = service.user_streams("DELETE", "/user-streams/%00").await;
    deleted.assert_error(
        400,
        "BadRequestError",
        "userId must not contain control characters",
    );
    service.assert_no_users().await;
}

#[tokio::test]
async fn a_delete_ends_the_sessions_and_says_when_there_is_no_such_user() {
    let service = Service::open();
    let path = "/user-streams/u";
    let unknown = service.user_streams("DELETE", path).await;
    unknown.assert_no_entity("\"u\"");
    service.start(&["x"]).await;
    service.watch("u", "y").await;
    let deleted = service.user_streams("DELETE", path).await;
    deleted.assert_empty(204);
    assert_eq!(deleted.header("content-type"), None);
    let again = service.user_streams("DELETE", path).await;
    again.assert_no_entity("\"u\"");
    // An id that was in use can be used again.
    service
        .watch("u", "y")
        .await
        .assert_streams("u", &["y"], true);
}

#[tokio::test]
async fn a_delete_lifts_no_limit() {
    let service = Service::open();
    service
        .set_user(
            "u",
            &json!({ "plan": "rolling", "limit": 1, "profile": { "Name": "N" } }),
        )
        .await;
    service.watch("u", "x").await;
    let deleted = service.user_streams("DELETE", "/user-streams/u").await;
    deleted.assert_empty(204);
    let user = service.get("/v1/users/u").await.json();
    assert_eq!(user["limit"], 1);
    assert_eq!(user["plan"], "rolling");
    assert_eq!(user["profile"], json!({ "Name": "N" }));
    assert_eq!(user["active"], 0);
}

#[tokio::test]
async fn other_methods_and_paths_are_named_in_the_answer() {
    let service = Service::open();
    for (method, path) in [
        ("GET", "/user-streams/u"),
        ("GET", "/user-streams/u/"),
        ("GET", "/user-streams//s"),
        ("GET", "/user-streams//"),
        ("POST", "/user-streams//s"),
        ("HEAD", "/user-streams/u/s/"),
        ("POST", "/user-streams/u/s/"),
        ("GET", "/User-Streams/u/s"),
        ("POST", "/user-streams/u/s"),
        ("DELETE", "/user-streams/u/s"),
        ("DELETE", "/user-streams/"),
        ("PATCH", "/user-streams/u"),
        ("POST", "/"),
        ("GET", "/user-streams/a%2Fb"),
        ("BREW", "/tea"),
    ] {
        let answer = service.user_streams(method, &format!("{path}?q=1")).await;
        if method == "HEAD" {
            answer.assert_empty(404);
            continue;
        }
        let message = format!("Endpoint \"{method} {path}\" not found.");
        answer.assert_error(404, "NotFoundError", &message);
    }
    let long = format!("/{}", "x".repeat(1_000));
    let answer = service.user_streams("GET", &long).await;
    let message = format!("Endpoint \"GET {}\" not found.", &long[..160]);
    answer.assert_error(404, "NotFoundError", &message);
}

#[tokio::test]
async fn head_starts_no_session() {
    let service = Service::open();
    let answer = service.user_streams("HEAD", "/user-streams/u/s").await;
    answer.assert_empty(404);
    service.assert_no_users().await;
}

/// A service whose settings allow these origins.
fn allowing(allowed_origins: AllowedOrigins) -> Service {
    Service::with(ServerSettings {
        cors: CorsSettings {
            allowed_origins,
            max_age: None,
        },
        ..ServerSettings::default()
    })
}

/// The preflight of a page.
async fn preflight(service: &Service, path: &str, origin: &str) -> Answer {
    let mut request = request("OPTIONS", &format!("{AT}{path}"), Body::empty());
    let headers = request.headers_mut();
    headers.insert("origin", origin.parse().unwrap());
    headers.insert("access-control-request-method", "DELETE".parse().unwrap());
    headers.insert("access-control-request-headers", ASKED.parse().unwrap());
    service.send(request).await
}

const ASKED: &str = "x-api-key,x-other";

#[tokio::test]
async fn a_preflight_is_answered_on_every_path_and_starts_nothing() {
    let service = allowing(AllowedOrigins::Any);
    for path in ["/user-streams/u/s", "/", "/explorer/", "/nothing"] {
        let answer = preflight(&service, path, "http://x.example").await;
        answer.assert_empty(204);
        answer.assert_for_any_page();
        let allowed = |what: &str| answer.header(&format!("access-control-{what}")).unwrap();
        assert_eq!(allowed("allow-methods"), "GET,HEAD,PUT,PATCH,POST,DELETE");
        assert_eq!(allowed("allow-headers"), ASKED);
        assert_eq!(allowed("max-age"), "86400");
        assert_eq!(
            answer.header("vary"),
            Some("access-control-request-headers")
        );
    }
    let bare = service.user_streams("OPTIONS", "/user-streams/u/s").await;
    bare.assert_empty(204);
    assert_eq!(bare.header("access-control-allow-headers"), None);
    service.assert_no_users().await;
    let counted = service
        .metric(
            "streamgate_http_request_duration_seconds_count{method=\"OPTIONS\",\
             route=\"/compat/user-streams/user-streams/{userId}/{sessionId}\",status=\"204\"}",
        )
        .await;
    assert_eq!(counted, "2");
}

#[tokio::test]
async fn only_pages_of_allowed_origins_are_told_that_they_may_call() {
    let listed = AllowedOrigins::List(vec!["http://y.example".to_owned()]);
    for (allowed, origin, is_allowed) in [
        (AllowedOrigins::None, "http://y.example", false),
        (listed.clone(), "http://y.example", true),
        (listed, "http://x.example", false),
        (AllowedOrigins::Any, "http://x.example", true),
    ] {
        let service = allowing(allowed);
        let asked = preflight(&service, "/user-streams/u", origin).await;
        asked.assert_empty(204);
        let mut request = request("GET", &format!("{AT}/user-streams/u/s"), Body::empty());
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse().unwrap());
        let answer = service.send(request).await;
        if is_allowed {
            asked.assert_for_any_page();
            answer.assert_for_any_page();
            answer.assert_streams("u", &["s"], true);
            continue;
        }
        for answer in [&asked, &answer] {
            for (name, _) in &answer.headers {
                assert!(!name.as_str().starts_with("access-control-"), "{answer:?}");
            }
            assert_eq!(answer.header("vary"), Some("origin"));
        }
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(answer.json()["error"]["name"], "ForbiddenError");
        service.assert_no_users().await;
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_a_503_that_says_when_to_try_again() {
    let service = Service::open();
    service.break_store().await;
    for (method, path) in [("GET", "/user-streams/u/s"), ("DELETE", "/user-streams/u")] {
        let answer = service.user_streams(method, path).await;
        answer.assert_error(
            503,
            "ServiceUnavailableError",
            "the store cannot be used now; send the same request again",
        );
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn a_damaged_record_is_a_500_that_says_nothing_about_itself() {
    let service = Service::open();
    service.damage("u").await;
    for (method, path) in [("GET", "/user-streams/u/s"), ("DELETE", "/user-streams/u")] {
        let answer = service.user_streams(method, path).await;
        let message = "the request could not be answered";
        answer.assert_error(500, "InternalServerError", message);
    }
}

#[tokio::test]
async fn a_user_may_be_asked_about_too_often() {
    let service = Service::once_a_second();
    service
        .watch("u", "s")
        .await
        .assert_streams("u", &["s"], true);
    let answer = service.watch("u", "s").await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.json()["error"]["name"], "TooManyRequestsError");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_key_is_asked_for_where_there_are_keys_unless_the_settings_say_otherwise() {
    let path = "/user-streams/u/s";
    let open = Service::with(ServerSettings {
        keys: keys(),
        compat: CompatSettings {
            require_key: false,
            ..CompatSettings::default()
        },
        ..ServerSettings::default()
    });
    let answer = open.user_streams("GET", path).await;
    answer.assert_streams("u", &["s"], true);

    let service = Service::keyed();
    for (method, path) in [("GET", path), ("DELETE", "/user-streams/u")] {
        let anonymous = service.user_streams(method, path).await;
        let message = "the request brings no API key";
        anonymous.assert_error(401, "UnauthorizedError", message);
    }
    let path = format!("{AT}{path}");
    let player = service.call_as("player", "GET", &path).await;
    player.assert_streams("u", &["s"], true);
    let deleted = format!("{AT}/user-streams/u");
    let player = service.call_as("player", "DELETE", &deleted).await;
    player.assert_empty(204);
    // It speaks of the users of its tenant.
    let other = service.call_as("other", "DELETE", &deleted).await;
    other.assert_no_entity("\"u\"");
    // A preflight brings no key, and the pages need none.
    let preflight = service.user_streams("OPTIONS", "/user-streams/u/s").await;
    preflight.assert_empty(204);
    assert_eq!(service.user_streams("GET", "/explorer/").await.status, 200);
}

/// What a relative link on the page at `path` leads to.
fn followed(path: &str, link: &str) -> String {
    assert!(!link.starts_with('/') && !link.contains("://"), "{link}");
    let folder = &path[..=path.rfind('/').unwrap()];
    match link.strip_prefix("../") {
        Some(link) => {
            let parent = folder.trim_end_matches('/');
            format!("{}{link}", &parent[..=parent.rfind('/').unwrap()])
        }
        None => format!("{folder}{link}"),
    }
}

/// Every value of the attribute in the page.
fn attributes(html: &str, name: &str) -> Vec<String> {
    html.split(&format!(" {name}=\""))
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_pages_lead_to_each_other_wherever_the_dialect_is_mounted() {
    let service = Service::at_root(DialectName::UserStreams);
    for at in ["", AT] {
        let home_at = format!("{at}/");
        let home = service.get(&home_at).await;
        home.assert_for_any_page();
        assert_eq!(home.status, 200);
        assert_eq!(
            home.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let links = attributes(&home.text(), "href");
        assert_eq!(links, ["explorer/", "openapi.json"]);

        let short = service.get(&format!("{at}/explorer")).await;
        assert_eq!(short.status, 308);
        let explorer_at = followed(&home_at, &links[0]);
        let location = short.header("location").unwrap();
        assert_eq!(followed(&format!("{at}/explorer"), location), explorer_at);

        let explorer = service.get(&explorer_at).await;
        explorer.assert_for_any_page();
        assert_eq!(explorer.status, 200);
        let policy = explorer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        let scripts = attributes(&explorer.text(), "src");
        assert_eq!(scripts, ["scalar.js", "explorer.js"]);
        for script in scripts {
            let script = service.get(&followed(&explorer_at, &script)).await;
            assert_eq!(script.status, 200);
            assert!(!script.body.is_empty());
        }
        let settings = service.get(&format!("{at}/explorer/explorer.js")).await;
        let settings = settings.text();
        assert!(
            settings.contains("\"url\":\"../openapi.json\""),
            "{settings}"
        );
        assert!(settings.contains("  telemetry: false,"), "{settings}");

        let document_at = followed(&explorer_at, "../openapi.json");
        assert_eq!(document_at, followed(&home_at, &links[1]));
        if !at.is_empty() {
            let document: Value = service.get(&document_at).await.json();
            assert_eq!(document["info"]["title"], "Streamgate as user-streams");
        }
    }
}

#[tokio::test]
async fn slashes_at_the_end_and_at_the_front_change_nothing() {
    let service = Service::at_root(DialectName::UserStreams);
    for (session, path) in [
        ("1", format!("{AT}/user-streams/u/1/")),
        ("2", format!("{AT}//user-streams/u/2")),
        ("3", "//user-streams/u/3".to_owned()),
    ] {
        let answer = service.get(&path).await;
        assert_eq!(answer.json()["allow"], true, "{path}: {}", answer.text());
        let sessions = answer.json()["sessionIds"].clone();
        assert!(
            sessions.as_array().unwrap().contains(&json!(session)),
            "{path}"
        );
    }
    for path in [
        format!("{AT}/user-streams/u/"),
        format!("{AT}//user-streams/u"),
        "//user-streams/u".to_owned(),
    ] {
        let started = service.user_streams("GET", "/user-streams/u/1").await;
        assert_eq!(started.json()["allow"], true, "{path}");
        assert_eq!(service.call("DELETE", &path).await.status, 204, "{path}");
        let list = service.get("/v1/users/u/sessions").await.json();
        assert_eq!(list["active"], 0, "{path}");
    }
}

/// What the acceptance test of the original looks for.
#[tokio::test]
async fn pages_have_the_names_and_titles_of_the_original() {
    let service = Service::open();
    let explorer = service.user_streams("GET", "/explorer/").await;
    assert!(
        explorer
            .text()
            .contains("<title>LoopBack API Explorer</title>")
    );
    let home = service.user_streams("GET", "/").await;
    let index = service.user_streams("GET", "/index.html").await;
    assert_eq!((index.status.as_u16(), index.text()), (200, home.text()));
    let yaml = service.user_streams("GET", "/openapi.yaml").await;
    assert_eq!(yaml.status, 200);
    assert_eq!(
        yaml.header("content-type"),
        Some("text/yaml; charset=utf-8")
    );
    // JSON is YAML.
    let json = service.user_streams("GET", "/openapi.json").await;
    assert_eq!(yaml.json(), json.json());
    // Our own explorer keeps its title.
    assert!(
        service
            .get("/docs/")
            .await
            .text()
            .contains("<title>Streamgate API</title>")
    );
}
