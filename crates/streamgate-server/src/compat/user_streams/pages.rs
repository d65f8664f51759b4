//! `/`, `/index.html`, `/explorer/`: pages for browsers, under the names and titles of the
//! original.
//!
//! Every link is relative, because the dialect does not know where it is mounted.

use std::sync::Arc;

use axum::response::{Redirect, Response};
use axum::routing::{MethodRouter, get};
use serde_json::json;

use crate::ops::docs::{explorer, page, scalar, settings};
use crate::state::App;

/// The document, as the explorer reaches it.
const DOCUMENT: &str = "../openapi.json";

/// The title of the explorer of the original; its acceptance test looks for it.
const TITLE: &str = "LoopBack API Explorer";

const HOME: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>user-streams</title>
  </head>
  <body>
    <h1>user-streams</h1>
    <p>May this user start another stream?</p>
    <ul>
      <li><a href="explorer/">explorer/</a>: the calls, to read and to try</li>
      <li><a href="openapi.json">openapi.json</a>: the same for programs</li>
    </ul>
  </body>
</html>
"#;

async fn home() -> Response {
    page("text/html; charset=utf-8", HOME)
}

/// Every page.
pub(super) fn pages() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        ("/", get(home)),
        ("/index.html", get(home)),
        ("/explorer", get(async || Redirect::permanent("explorer/"))),
        ("/explorer/", get(async || explorer(TITLE, "", DOCUMENT))),
        ("/explorer/scalar.js", get(scalar)),
        (
            "/explorer/explorer.js",
            get(async || settings(&json!([{ "url": DOCUMENT }]))),
        ),
    ]
}
