//! The pages for people: how their files are answered, and which are served.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use streamgate_server::{AllowedOrigins, CorsSettings, DialectName, PagesSettings, ServerSettings};

use crate::support::{Answer, Service};

const HTML: &str = "text/html; charset=utf-8";

/// A file of each folder, with its media type.
const FILES: [(&str, &str); 8] = [
    ("/front/front.js", "text/javascript; charset=utf-8"),
    ("/demo/", HTML),
    ("/demo/index.html", HTML),
    ("/demo/demo.css", "text/css; charset=utf-8"),
    ("/console/", HTML),
    ("/shared/tokens.css", "text/css; charset=utf-8"),
    ("/shared/icon.svg", "image/svg+xml"),
    ("/sdk/index.js", "text/javascript; charset=utf-8"),
];

async fn get(service: &Service, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    service.send(request.body(Body::empty()).unwrap()).await
}

async fn front(service: &Service) -> Answer {
    get(service, "/", &[("accept", "text/html,*/*;q=0.8")]).await
}

fn with_pages(pages: PagesSettings) -> Service {
    Service::with(ServerSettings {
        pages,
        ..ServerSettings::default()
    })
}

#[tokio::test]
async fn every_file_has_the_headers_that_keep_a_page_to_itself() {
    let service = Service::open();
    let mut answers = vec![(HTML, front(&service).await)];
    for (path, media_type) in FILES {
        answers.push((media_type, service.get(path).await));
    }
    for (media_type, answer) in answers {
        assert_eq!(answer.status, 200);
        assert!(!answer.body.is_empty());
        for (name, value) in [
            ("content-type", media_type),
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'",
            ),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{media_type}: {name}");
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_not_read_the_files_whatever_they_may_call() {
    let service = Service::with(ServerSettings {
        cors: CorsSettings {
            allowed_origins: AllowedOrigins::Any,
            max_age: None,
        },
        ..ServerSettings::default()
    });
    for (path, _) in FILES {
        let answer = get(&service, path, &[("origin", "https://evil.example")]).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn pages_need_no_key() {
    let service = Service::keyed();
    assert_eq!(front(&service).await.status, 200);
    for (path, _) in FILES {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_has_a_file_gets_304_and_no_bytes() {
    let service = Service::open();
    for path in ["/", "/demo/", "/shared/ui.js"] {
        let html = ("accept", "text/html");
        let first = get(&service, path, &[html]).await;
        let tag = first.header("etag").unwrap();
        let again = get(&service, path, &[html, ("if-none-match", tag)]).await;
        again.assert_empty(304);
        for name in ["etag", "cache-control", "vary", "content-security-policy"] {
            assert_eq!(again.header(name), first.header(name), "{path} {name}");
        }
        let other = get(&service, path, &[html, ("if-none-match", "\"other\"")]).await;
        assert_eq!((other.status, other.body), (first.status, first.body));
    }
}

#[tokio::test]
async fn a_head_has_no_body_and_other_methods_are_not_there() {
    let service = Service::open();
    for path in ["/", "/demo/", "/console/", "/shared/base.css"] {
        let (get, head) = (service.get(path).await, service.call("HEAD", path).await);
        head.assert_empty(200);
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = service.call(method, path).await;
            answer.assert_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_no_file_of_a_page_is_not_found() {
    let service = Service::open();
    for path in [
        "/front/",
        "/shared/",
        "/sdk/",
        "/design.md",
        "/tsconfig.json",
        "/shared/none.js",
        "/demo/../Cargo.toml",
        "/demo/%2e%2e%2fdesign.md",
        "/demo//index.html",
        "/shared/%2e%2e/demo/demo.js",
        "/DEMO/",
        "/index.html",
    ] {
        let answer = service.get(path).await;
        answer.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_short_addresses_lead_to_the_pages() {
    let service = Service::open();
    for (path, page) in [("/demo", "/demo/"), ("/console", "/console/")] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 308);
        assert_eq!(answer.header("location"), Some(page));
    }
}

#[tokio::test]
async fn the_root_is_a_page_for_people_and_json_for_programs() {
    let service = Service::keyed();
    let page = front(&service).await;
    assert_eq!(page.header("content-type"), Some(HTML));
    assert_eq!(page.header("vary"), Some("accept"));
    for accept in ["*/*", "application/json", "text/plain"] {
        let answer = get(&service, "/", &[("accept", accept)]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("vary"), Some("accept"));
        let expected = json!({
            "name": "streamgate",
            "version": env!("CARGO_PKG_VERSION"),
            "api": "/v1",
            "docs": "/docs/",
            "openapi": "/openapi.json",
            "demo": "/demo/",
            "console": "/console/",
        });
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn a_page_that_is_off_is_neither_there_nor_named() {
    let all = PagesSettings::default();
    for (pages, absent, present) in [
        (
            PagesSettings { demo: false, ..all },
            &["/demo/", "/demo", "/demo/demo.css", "/sdk/index.js"][..],
            &["/console/", "/shared/ui.js", "/front/front.js"][..],
        ),
        (
            PagesSettings {
                console: false,
                ..all
            },
            &["/console/", "/console"],
            &["/demo/", "/shared/ui.js", "/sdk/index.js"],
        ),
        (
            PagesSettings::NONE,
            &["/demo/", "/console/", "/shared/ui.js", "/front/front.js"],
            &["/docs/"],
        ),
    ] {
        let service = with_pages(pages);
        for path in absent {
            let answer = service.get(path).await;
            answer.assert_problem(404, "not_found");
        }
        for path in present {
            assert_eq!(service.get(path).await.status, 200, "{pages:?} {path}");
        }
        let about = service.get("/").await.json();
        assert_eq!(about.get("demo").is_some(), pages.demo);
        assert_eq!(about.get("console").is_some(), pages.console);
    }
    // On AWS Lambda: people get what programs do.
    let answer = front(&with_pages(PagesSettings::NONE)).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_dialect_at_the_root_has_its_paths_beside_the_pages() {
    for dialect in DialectName::ALL {
        let service = Service::at_root(dialect);
        let root = front(&service).await;
        assert!(!root.text().contains("front/front.js"), "{dialect:?}");
        assert_ne!(service.get("/front/front.js").await.status, 200);
        assert_eq!(service.get("/demo/").await.status, 200, "{dialect:?}");
    }
    // `demo` and `console` are as good as any other name of a stage.
    let service = Service::at_root(DialectName::StreamLog);
    for stage in ["demo", "console", "sdk"] {
        let own = service.call("POST", &format!("/{stage}/stream")).await;
        let other = service.call("POST", "/prod/stream").await;
        assert_eq!(
            (own.status, own.body),
            (other.status, other.body),
            "{stage}"
        );
    }
}
