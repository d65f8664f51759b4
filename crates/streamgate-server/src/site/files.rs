//! The files of the pages, and how they are answered.
//!
//! Every file is answered with the same headers: the policy lets a page load from this server only,
//! run no inline script or style, and be shown in no frame.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::{ApiError, Code};
use crate::settings::PagesSettings;
use crate::wire::answer::with_body;

/// The file that is answered for its folder.
pub(super) const INDEX: &str = "index.html";

#[derive(RustEmbed)]
#[folder = "web/front/"]
struct Front;

#[derive(RustEmbed)]
#[folder = "web/demo/"]
struct Demo;

#[derive(RustEmbed)]
#[folder = "web/console/"]
struct Console;

/// What all pages have in common.
#[derive(RustEmbed)]
#[folder = "web/shared/"]
struct Shared;

/// The player SDK, compiled: the demo plays by it.
#[derive(RustEmbed)]
#[folder = "web/sdk/"]
struct Sdk;

/// A folder of `web/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    Front,
    Demo,
    Console,
    Shared,
    Sdk,
}

impl Folder {
    pub(super) const ALL: [Self; 5] = [
        Self::Front,
        Self::Demo,
        Self::Console,
        Self::Shared,
        Self::Sdk,
    ];

    /// Where its files are, below the root.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Front => "/front/",
            Self::Demo => "/demo/",
            Self::Console => "/console/",
            Self::Shared => "/shared/",
            Self::Sdk => "/sdk/",
        }
    }

    /// Whether these settings have a page that needs it.
    pub(super) const fn is_served(self, settings: PagesSettings) -> bool {
        match self {
            Self::Front => settings.front,
            Self::Demo | Self::Sdk => settings.demo,
            Self::Console => settings.console,
            Self::Shared => settings.front || settings.demo || settings.console,
        }
    }

    /// Whether its index is served at its own path. The front page is at the root.
    pub(super) const fn is_page(self) -> bool {
        matches!(self, Self::Demo | Self::Console)
    }

    /// The names of its files.
    pub(super) fn names(self) -> Vec<Cow<'static, str>> {
        match self {
            Self::Front => Front::iter().collect(),
            Self::Demo => Demo::iter().collect(),
            Self::Console => Console::iter().collect(),
            Self::Shared => Shared::iter().collect(),
            Self::Sdk => Sdk::iter().collect(),
        }
    }

    fn get(self, name: &str) -> Option<EmbeddedFile> {
        match self {
            Self::Front => Front::get(name),
            Self::Demo => Demo::get(name),
            Self::Console => Console::get(name),
            Self::Shared => Shared::get(name),
            Self::Sdk => Sdk::get(name),
        }
    }

    /// The route of a file.
    pub(super) fn file<S>(self, name: Cow<'static, str>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        get(async move |headers: HeaderMap| self.answer(&name, &headers))
    }

    /// The file, or 304 for a browser that has it.
    pub(super) fn answer(self, name: &str, headers: &HeaderMap) -> Response {
        let (Some(file), Some(media_type)) = (self.get(name), media_type(name)) else {
            // In a debug build the file can be gone since the start.
            return ApiError::new(Code::NotFound, "this page has no such file").into_response();
        };
        let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
        let mut response = if has(headers, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            with_body(StatusCode::OK, media_type, body_of(file))
        };
        for (name, value) in HEADERS {
            response.headers_mut().insert(name, value);
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// What every file is answered with.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    // The modules of a page belong to one version of the server, so each is asked for again; the
    // answer is 304 as long as it is the same.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    // `no-referrer` would take the origin off beacons, which a server without keys then refuses.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Whether the browser has the file with this tag (RFC 9110, weak comparison).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter();
    known
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

/// The bytes, without a copy if they are those of the binary.
fn body_of(file: EmbeddedFile) -> Body {
    Body::from(match file.data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    })
}

/// The media type by the end of the name; `None` for files that pages do not have.
fn media_type(name: &str) -> Option<HeaderValue> {
    let (_, end) = name.rsplit_once('.')?;
    Some(HeaderValue::from_static(match end {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_pages_has_a_media_type_and_a_flat_name() {
        for folder in Folder::ALL {
            assert!(!folder.names().is_empty(), "{folder:?}");
            for name in folder.names() {
                let answer = folder.answer(&name, &HeaderMap::new());
                assert_eq!(answer.status(), StatusCode::OK, "{folder:?} {name}");
                // The template of their route has one segment for the file.
                assert!(!name.contains(['/', '{', '}']), "{folder:?} {name}");
            }
        }
    }

    #[test]
    fn a_tag_is_compared_with_each_that_the_browser_has() {
        for (known, expected) in [
            (&["\"a\""][..], true),
            (&["W/\"a\""], true),
            (&["*"], true),
            (&["\"b\", \"a\""], true),
            (&["\"b\"", "\"a\""], true),
            (&["\"b\""], false),
            (&["a"], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for tags in known {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(tags));
            }
            assert_eq!(has(&headers, "\"a\""), expected, "{known:?}");
        }
    }
}
