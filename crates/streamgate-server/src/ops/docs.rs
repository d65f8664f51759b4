//! `/docs/`: the API explorer, and `/docs/problems`: what each problem means. Both work offline.
//!
//! The explorer's JavaScript is compiled in. The content security policy keeps the browser from
//! loading or sending anything elsewhere, whatever the settings of the explorer.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::compat;
use crate::ops::openapi::openapi_json;
use crate::problem::{ApiError, Code};
use crate::routing::fallback::method_not_allowed;
use crate::routing::layers::RouteLayers;
use crate::state::App;

/// Allows no other origin. The explorer has inline styles, and images and fonts within its script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data: blob:; \
     font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The document of our own API. At the root there may be that of a dialect.
const DOCUMENT: &str = "/docs/openapi.json";

/// The routes of the pages, with the usual layers.
pub(crate) fn router(layers: &RouteLayers) -> Router<Arc<App>> {
    let route = |router: Router<Arc<App>>, (path, methods): (_, MethodRouter<Arc<App>>)| {
        let methods = methods.fallback(method_not_allowed);
        router.route(path, layers.around(path, methods))
    };
    [
        ("/docs", get(async || Redirect::permanent("/docs/"))),
        (
            "/docs/",
            get(async || explorer("Streamgate API", "/docs/", DOCUMENT)),
        ),
        ("/docs/scalar.js", get(scalar)),
        ("/docs/explorer.js", get(settings_of_server)),
        (DOCUMENT, get(openapi_json)),
        ("/docs/problems", get(problems)),
    ]
    .into_iter()
    .fold(Router::new(), route)
}

/// The page of the explorer under this title, for any document; `scripts` is the folder of
/// [`scalar`] and [`settings`], which are files of their own, because the policy allows no other
/// scripts.
pub(crate) fn explorer(title: &str, scripts: &str, document: &str) -> Response {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{title}</title>
  </head>
  <body>
    <div id="app"></div>
    <noscript>The explorer needs JavaScript. The document itself is at
      <a href="{document}">{document}</a>.</noscript>
    <script src="{scripts}scalar.js"></script>
    <script src="{scripts}explorer.js"></script>
  </body>
</html>
"#
    );
    page("text/html; charset=utf-8", html)
}

/// The settings for this server: our own document first, then those of the dialects.
async fn settings_of_server(State(app): State<Arc<App>>) -> Response {
    let mut documents = vec![json!({"title": "Streamgate", "url": DOCUMENT, "default": true})];
    documents.extend(app.compat.dialects.iter().map(|name| {
        let url = compat::document_path(*name);
        json!({"title": name.as_str(), "slug": name.as_str(), "url": url})
    }));
    settings(&documents.into())
}

/// The settings of the explorer: a list of documents, each with its `url` and perhaps a `title`.
/// Everything that calls other servers is off: telemetry, fonts, the assistant, the hosted client.
pub(crate) fn settings(documents: &Value) -> Response {
    let script = format!(
        r##""use strict";
Scalar.createApiReference("#app", {{
  sources: {documents},
  telemetry: false,
  withDefaultFonts: false,
  proxyUrl: "",
  agent: {{ disabled: true }},
  mcp: {{ disabled: true }},
  hideClientButton: true,
  showDeveloperTools: "never",
  documentDownloadType: "direct",
}});
"##
    );
    page("text/javascript; charset=utf-8", script)
}

/// The explorer's script, decompressed at the first request for it.
pub(crate) async fn scalar() -> Response {
    static SCRIPT: LazyLock<Option<Bytes>> =
        LazyLock::new(|| scalar_api_reference::get_asset("scalar.js").map(Bytes::from));
    match &*SCRIPT {
        Some(script) => page("text/javascript; charset=utf-8", script.clone()),
        None => ApiError::new(Code::NotFound, "the explorer is not in this build").into_response(),
    }
}

/// The page of problems up to its list. It looks as the pages for people do, without their files,
/// which a server may not serve.
const PROBLEMS_HEAD: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Problems · Streamgate</title>
    <style>
      :root { color-scheme: light dark; }
      body { max-width: 44rem; margin: 0 auto; padding: 2rem 1.5rem 4.5rem;
        font: 0.9375rem/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
      h1 { margin: 0 0 1.5rem; font-size: 1.875rem; line-height: 1.2; letter-spacing: -0.015em; }
      dt { padding-top: 1rem;
        border-top: 1px solid color-mix(in srgb, currentcolor 15%, transparent);
        font-weight: 600; scroll-margin-top: 1rem; }
      dt:target { text-decoration: underline; text-underline-offset: 0.3em; }
      dd { margin: 0.25rem 0 1rem; opacity: 0.8; }
      code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 0.92em; }
    </style>
  </head>
  <body>
    <h1>Problems</h1>
    <dl>
"#;

/// The meaning of each code. The `type` of a problem is a link into this page.
async fn problems() -> Response {
    let mut html = PROBLEMS_HEAD.to_owned();
    for code in Code::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            html,
            "<dt id=\"{0}\"><code>{0}</code> ({1}): {2}</dt>\n<dd>{3}</dd>",
            code.as_str(),
            code.status().as_u16(),
            code.title(),
            with_code(code.about()),
        );
    }
    html.push_str("</dl>\n</body>\n</html>\n");
    page("text/html; charset=utf-8", html)
}

/// Text of our own as HTML: what stands between backticks is code.
fn with_code(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for (index, part) in text.split('`').enumerate() {
        let (begin, end) = match index % 2 {
            0 => ("", ""),
            _ => ("<code>", "</code>"),
        };
        html.extend([begin, part, end]);
    }
    html
}

/// A page for browsers, with the policy.
pub(crate) fn page(media_type: &'static str, body: impl Into<Body>) -> Response {
    let media_type = HeaderValue::from_static(media_type);
    let mut response = compat::answer::response(StatusCode::OK, media_type, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    // Pages change only with the version of the server; `no-cache` still revalidates.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
