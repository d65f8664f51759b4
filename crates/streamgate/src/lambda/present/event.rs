//! An event of API Gateway as an HTTP request, in payload format 1.0 or 2.0.
//!
//! REST APIs and function URLs keep the percent-encoding of a path, HTTP APIs decode it. So a
//! path is escaped only where it could be no path: an encoded one stays as it is, and a decoded one
//! becomes valid. A slash within an id is lost if the gateway decoded it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use streamgate_server::Gateway;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, request};

/// The stage that is in no path.
const DEFAULT_STAGE: &str = "$default";

/// What a query cannot contain as it is.
const NOT_IN_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What a path cannot contain as it is.
const NOT_IN_PATH: &AsciiSet = &NOT_IN_QUERY.add(b'?');

/// The payload format of an event, and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Of REST APIs, and of HTTP APIs that ask for it.
    V1,
    /// Of HTTP APIs and function URLs.
    V2,
}

/// Why an event was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum EventError {
    /// It is no request of API Gateway.
    #[error(
        "the event is no HTTP request of API Gateway (payload format 1.0 or 2.0) or of a function \
         URL: {0}"
    )]
    NotHttp(String),
    /// A part of the request cannot be used.
    #[error("the event has a wrong {0}")]
    Wrong(&'static str),
    /// The answer is longer than Lambda takes.
    #[error("the answer has {0} bytes as JSON; AWS Lambda takes 6 MB")]
    AnswerTooLong(usize),
    /// The body of the answer could not be made.
    #[error("the body of the answer could not be made: {0}")]
    NoBody(String),
    /// A fault of the program.
    #[error("the request has failed: a fault of Streamgate")]
    Fault,
}

impl EventError {
    /// The kind of error, as Lambda shows it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::NotHttp(_) => "Streamgate.NotHttp",
            Self::Wrong(_) => "Streamgate.WrongEvent",
            Self::AnswerTooLong(_) => "Streamgate.AnswerTooLong",
            Self::NoBody(_) => "Streamgate.NoBody",
            Self::Fault => "Streamgate.Fault",
        }
    }
}

/// An HTTP request of an event.
#[derive(Debug)]
pub(super) struct HttpEvent {
    pub(super) format: Format,
    pub(super) request: Request<Vec<u8>>,
    pub(super) gateway: Gateway,
}

/// The members of both formats that matter; each is optional, because other events lack it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    version: Option<String>,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    http_method: Option<String>,
    path: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Option<Context>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    stage: Option<String>,
    request_id: Option<String>,
    path: Option<String>,
    http: Option<Http>,
    identity: Option<Source>,
    /// Of a load balancer.
    elb: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    #[serde(flatten)]
    source: Source,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    source_ip: Option<String>,
}

impl HttpEvent {
    /// Reads an event.
    pub(super) fn parse(json: &[u8]) -> Result<Self, EventError> {
        let mut event: Event = serde_json::from_slice(json).map_err(|error| {
            // Without its text, which can repeat values.
            let column = error.column();
            EventError::NotHttp(format!("its JSON has another shape at column {column}"))
        })?;
        let not_http = |why: &str| Err(EventError::NotHttp(why.to_owned()));
        let Some(context) = event.request_context.take() else {
            return not_http("it has no requestContext");
        };
        if context.elb.is_some() {
            return not_http("it is one of a load balancer");
        }
        match (&context.http, event.http_method.take()) {
            (Some(http), _) => event.into_v2(&context, http),
            (None, Some(method)) => event.into_v1(&context, &method),
            (None, None) => not_http("it names no HTTP method"),
        }
    }
}

impl Event {
    fn into_v2(mut self, context: &Context, http: &Http) -> Result<HttpEvent, EventError> {
        let path = self.raw_path.take().unwrap_or_default();
        let (path, stage) = without_stage(path, context.stage.as_deref());
        let gateway = Gateway {
            client: address(Some(&http.source)),
            stage,
        };
        let query = self.raw_query_string.take().unwrap_or_default();
        let query = utf8_percent_encode(&query, NOT_IN_QUERY).to_string();
        let target = target(&escaped(&path, true), &query);
        self.into_event(Format::V2, &http.method, &target, context, gateway)
    }

    fn into_v1(mut self, context: &Context, method: &str) -> Result<HttpEvent, EventError> {
        let path = self.path.take().unwrap_or_default();
        let stage = context.stage.as_deref();
        // HTTP APIs name the version, REST APIs do not.
        let is_of_rest_api = self.version.is_none();
        let (path, stage) = if is_of_rest_api {
            // It takes the stage off the path by itself.
            let whole = stage.map(|stage| format!("/{stage}{path}"));
            let was_there = whole.is_some() && context.path == whole;
            (path, stage.filter(|_| was_there).map(str::to_owned))
        } else {
            without_stage(path, stage)
        };
        let gateway = Gateway {
            client: address(context.identity.as_ref()),
            stage,
        };
        let target = target(&escaped(&path, !is_of_rest_api), &self.query());
        self.into_event(Format::V1, method, &target, context, gateway)
    }

    /// The query of format 1.0, whose parameters are decoded.
    fn query(&mut self) -> String {
        let parameters = all_values(
            self.multi_value_query_string_parameters.take(),
            self.query_string_parameters.take(),
        );
        let pairs = parameters
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        pairs
            .map(|(name, value)| {
                let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
                format!("{}={}", encoded(name), encoded(value))
            })
            .collect::<Vec<_>>()
            .join("&")
    }

    fn into_event(
        mut self,
        format: Format,
        method: &str,
        target: &str,
        context: &Context,
        gateway: Gateway,
    ) -> Result<HttpEvent, EventError> {
        let mut builder: request::Builder = Request::builder().method(method).uri(target);
        if builder.method_ref().is_none() || builder.uri_ref().is_none() {
            return Err(EventError::Wrong("method or path"));
        }
        if let Some(headers) = builder.headers_mut() {
            *headers = self.headers()?;
            let id = context.request_id.as_deref().map(HeaderValue::from_str);
            if let Some(Ok(id)) = id {
                // The one in the access log of the gateway, unless the caller has its own.
                headers.entry("x-request-id").or_insert(id);
            }
        }
        let text = self.body.take().unwrap_or_default();
        let body = match self.is_base64_encoded {
            Some(true) => STANDARD
                .decode(text)
                .map_err(|_| EventError::Wrong("body: it is not base64"))?,
            _ => text.into_bytes(),
        };
        Ok(HttpEvent {
            format,
            request: builder
                .body(body)
                .map_err(|_| EventError::Wrong("method or path"))?,
            gateway,
        })
    }

    fn headers(&mut self) -> Result<HeaderMap, EventError> {
        let all = all_values(self.multi_value_headers.take(), self.headers.take());
        let mut headers = HeaderMap::new();
        for (name, values) in all {
            for value in values {
                let name = HeaderName::from_bytes(name.as_bytes());
                let value = HeaderValue::from_bytes(value.as_bytes());
                let (Ok(name), Ok(value)) = (name, value) else {
                    return Err(EventError::Wrong("header"));
                };
                headers.append(name, value);
            }
        }
        if let Some(cookies) = self.cookies.take() {
            let cookies = HeaderValue::from_str(&cookies.join("; "));
            headers.insert("cookie", cookies.map_err(|_| EventError::Wrong("cookie"))?);
        }
        Ok(headers)
    }
}

/// The values of each name: from the member that has all of them, or, where a gateway leaves that
/// out, from the one that has one of each.
fn all_values(
    many: Option<BTreeMap<String, Vec<String>>>,
    single: Option<BTreeMap<String, String>>,
) -> BTreeMap<String, Vec<String>> {
    many.filter(|many| !many.is_empty()).unwrap_or_else(|| {
        let single = single.unwrap_or_default().into_iter();
        single.map(|(name, value)| (name, vec![value])).collect()
    })
}

/// The address of the client.
fn address(source: Option<&Source>) -> IpAddr {
    source
        .and_then(|source| source.source_ip.as_deref())
        .and_then(|address| address.parse().ok())
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// The path without the stage at its front, and the stage if it was there.
fn without_stage(path: String, stage: Option<&str>) -> (String, Option<String>) {
    let Some(stage) = stage.filter(|stage| *stage != DEFAULT_STAGE) else {
        return (path, None);
    };
    let rest = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(stage));
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            (rest.to_owned(), Some(stage.to_owned()))
        }
        _ => (path, None),
    }
}

/// The request target.
fn target(path: &str, query: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{slash}{path}{mark}{query}")
}

/// The path with everything escaped that cannot be in one. If the gateway may have decoded it, so
/// is a percent sign that begins no encoded byte.
fn escaped(path: &str, may_be_decoded: bool) -> String {
    let mut escaped = String::with_capacity(path.len());
    for (place, piece) in path.split('%').enumerate() {
        if place > 0 {
            let is_escape =
                piece.len() >= 2 && piece.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
            escaped.push_str(if is_escape || !may_be_decoded {
                "%"
            } else {
                "%25"
            });
        }
        escaped.extend(utf8_percent_encode(piece, NOT_IN_PATH));
    }
    escaped
}

#[cfg(test)]
mod tests;
