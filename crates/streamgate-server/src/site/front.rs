//! `GET /`: what this server is. People get a page, programs JSON.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::files::{Folder, INDEX};
use crate::state::App;
use crate::wire;

/// What this server is, and where its parts are. Paths begin at the root of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Service {
    /// Always `streamgate`.
    #[schema(example = "streamgate")]
    name: &'static str,
    /// The version of the server.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Where the paths of the API begin.
    #[schema(example = "/v1")]
    api: &'static str,
    /// The API explorer.
    #[schema(example = "/docs/")]
    docs: &'static str,
    /// The OpenAPI document.
    #[schema(example = "/openapi.json")]
    openapi: &'static str,
    /// The demo, if it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/demo/", nullable = false)]
    demo: Option<&'static str>,
    /// The console, if it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/console/", nullable = false)]
    console: Option<&'static str>,
}

/// What this server is
///
/// Clients that prefer `text/html`, as browsers do, get a page for people.
#[utoipa::path(
    get,
    path = "/",
    tag = "ops",
    security(()),
    responses(
        (status = 200, description = "The service, or a page about it.", content(
            (Service = "application/json"),
            (String = "text/html"),
        )),
        (status = 304, description = "The page, where `If-None-Match` says that the client has it."),
    )
)]
pub(crate) async fn front(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let pages = app.pages;
    let mut response = if pages.front && prefers_html(&headers) {
        Folder::Front.answer(INDEX, &headers)
    } else {
        let service = Service {
            name: "streamgate",
            version: env!("CARGO_PKG_VERSION"),
            api: "/v1",
            docs: "/docs/",
            openapi: "/openapi.json",
            demo: pages.demo.then_some(Folder::Demo.prefix()),
            console: pages.console.then_some(Folder::Console.prefix()),
        };
        wire::json(StatusCode::OK, &service)
    };
    let vary = HeaderValue::from_static("accept");
    response.headers_mut().insert(header::VARY, vary);
    response
}

/// Whether HTML is wanted more than JSON (RFC 9110, section 12.5.1).
fn prefers_html(headers: &HeaderMap) -> bool {
    let quality = |media_type| quality_of(media_type, headers);
    quality("text/html") > quality("application/json")
}

/// How much a media type is wanted, in thousandths: the most specific range counts.
fn quality_of(media_type: &str, headers: &HeaderMap) -> u32 {
    let (kind, _) = media_type.split_once('/').unwrap_or_default();
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    let ranges = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let rated = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let precision = match name.split_once('/')? {
            _ if name == media_type => 2,
            (first, "*") if first == kind => 1,
            ("*", "*") => 0,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        Some((precision, quality.map_or(1_000, thousandths)))
    });
    rated.max().map_or(0, |(_, quality)| quality)
}

/// A quality value in thousandths: `0` to `1` with up to three digits; 0 for others.
fn thousandths(quality: &str) -> u32 {
    let (whole, digits) = quality.split_once('.').unwrap_or((quality, ""));
    let is_value = digits.len() <= 3 && matches!(whole, "0" | "1");
    let thousandths = is_value.then(|| format!("{whole}{digits:0<3}").parse().ok());
    thousandths.flatten().unwrap_or(0).min(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_prefer_html_and_programs_do_not() {
        for (accept, expected) in [
            // Chromium, Firefox, Safari.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
                 image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
                true,
            ),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("TEXT/HTML", true),
            ("text/*", true),
            ("text/html;q=0.9, application/json;q=0.8", true),
            ("application/json;q=0.5, text/html;level=1;q=0.6", true),
            ("*/*;q=0.9, text/html", true),
            ("text/html, application/json;q=0", true),
            // curl, axios, and others.
            ("*/*", false),
            ("", false),
            ("application/json", false),
            ("application/json, text/plain, */*", false),
            ("text/html, application/json", false),
            ("text/html;q=0.8, application/json;q=0.9", false),
            ("text/html;q=0, */*", false),
            ("text/html;q=x", false),
            ("text/html;q=1.0000", false),
            ("text/html;q=0.001, application/json;q=0", true),
            ("text/plain", false),
            ("html", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(prefers_html(&headers), expected, "{accept:?}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn a_header_in_parts_is_one_list() {
        let mut headers = HeaderMap::new();
        for part in ["application/json;q=0.5", "text/html"] {
            headers.append(header::ACCEPT, HeaderValue::from_static(part));
        }
        assert!(prefers_html(&headers));
    }
}
