//! `/docs/` and `/docs/problems`

use crate::support::Service;

#[tokio::test]
async fn the_explorer_loads_nothing_from_elsewhere() {
    let service = Service::keyed();
    let page = service.get("/docs/").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    // What the page itself loads is served here.
    let html = page.text();
    let sources: Vec<&str> = html
        .split("src=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(sources, ["/docs/scalar.js", "/docs/explorer.js"]);
    for source in sources {
        let script = service.get(source).await;
        assert_eq!(script.status, 200, "{source}");
        assert_eq!(
            script.header("content-type"),
            Some("text/javascript; charset=utf-8")
        );
        assert!(!script.body.is_empty());
    }
    assert!(!html.contains("://"));
    // What the explorer might want to load, the browser is told to refuse.
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("http"), "{policy}");
    assert!(!policy.contains('*'), "{policy}");
    for directive in policy.split(';') {
        for source in directive.split_whitespace().skip(1) {
            assert!(
                ["'none'", "'self'", "'unsafe-inline'", "data:", "blob:"].contains(&source),
                "{directive}"
            );
        }
    }
}

#[tokio::test]
async fn the_explorer_is_told_to_keep_to_itself() {
    let script = Service::open().get("/docs/explorer.js").await.text();
    for setting in [
        "\"url\":\"/docs/openapi.json\"",
        "telemetry: false",
        "withDefaultFonts: false",
        "agent: { disabled: true }",
        "proxyUrl: \"\"",
    ] {
        assert!(script.contains(setting), "{setting}");
    }
    assert!(!script.contains("://"));
}

#[tokio::test]
async fn the_short_address_leads_to_the_explorer() {
    let answer = Service::open().get("/docs").await;
    assert_eq!(answer.status, 308);
    assert_eq!(answer.header("location"), Some("/docs/"));
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_description() {
    let service = Service::open();
    let problem = service.get("/v1/users/u").await.json();
    let kind = problem["type"].as_str().unwrap();
    let (path, anchor) = kind.split_once('#').unwrap();
    let page = service.get(path).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains(&format!("<dt id=\"{anchor}\">")));
    assert!(page.text().contains("<code>errors</code> names each field"));
    assert!(!page.text().contains('`'));
}
