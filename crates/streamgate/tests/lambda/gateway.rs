//! A stand-in of API Gateway: takes HTTP requests, makes events of them as the kinds of gateway do,
//! and writes what the function answers. `deploy/aws/lambda/README.md` says what of it was seen on
//! AWS by others.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::lambda::http::{self, Request};
use crate::lambda::runtime_api::{Outcome, RuntimeApi};

/// A kind of gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An HTTP API with payload format 2.0: paths are decoded.
    HttpApi,
    /// An HTTP API with payload format 1.0: paths are decoded.
    HttpApiV1,
    /// A REST API: payload format 1.0, paths as they were sent, without the stage.
    RestApi,
    /// A function URL: payload format 2.0, paths as they were sent, no named stage.
    FunctionUrl,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::HttpApi,
        Self::HttpApiV1,
        Self::RestApi,
        Self::FunctionUrl,
    ];

    pub(crate) const fn keeps_encoding(self) -> bool {
        matches!(self, Self::RestApi | Self::FunctionUrl)
    }
}

/// The stage that is in no path.
pub(crate) const DEFAULT_STAGE: &str = "$default";

/// A gateway, and where it listens.
#[derive(Clone)]
pub(crate) struct Gateway {
    kind: Kind,
    stage: &'static str,
    api: RuntimeApi,
    pub(crate) address: SocketAddr,
}

impl Gateway {
    /// A gateway with a stage, in front of the instances that use this Runtime API.
    pub(crate) fn start(kind: Kind, stage: &'static str, api: &RuntimeApi) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let gateway = Self {
            kind,
            stage,
            api: api.clone(),
            address: listener.local_addr().unwrap(),
        };
        let serving = gateway.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let gateway = serving.clone();
                thread::spawn(move || gateway.serve(stream.unwrap()));
            }
        });
        gateway
    }

    /// Whether paths arrive as they were sent.
    pub(crate) const fn keeps_encoding(&self) -> bool {
        self.kind.keeps_encoding()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        // A client that sends no request, or reads no answer, has gone.
        while let Ok(request) = http::read(&mut reader) {
            let outcome = self.api.invoke(self.event(&request));
            if let Ok(answer) = &outcome {
                assert_eq!(answer["isBase64Encoded"], false, "{answer}");
            }
            if write_outcome(&mut stream, outcome).is_err() {
                return;
            }
            if request.header("connection") == Some("close") {
                return;
            }
        }
    }

    /// The event that a gateway of this kind makes of a request.
    pub(crate) fn event(&self, request: &Request) -> Value {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let path = match self.kind.keeps_encoding() {
            true => path.to_owned(),
            false => percent_decode_str(path).decode_utf8_lossy().into_owned(),
        };
        let (body, is_base64_encoded) = body_of(request);
        let mut event = match self.kind {
            Kind::HttpApi | Kind::FunctionUrl => self.v2(request, &path, query),
            Kind::HttpApiV1 | Kind::RestApi => self.v1(request, &path, query),
        };
        event["body"] = body;
        event["isBase64Encoded"] = is_base64_encoded.into();
        event
    }

    fn v2(&self, request: &Request, path: &str, query: &str) -> Value {
        let headers = headers(request).into_iter();
        let headers: BTreeMap<_, _> = headers
            .map(|(name, values)| (name, values.join(",")))
            .collect();
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "stage": self.stage,
                "requestId": "JKJaXmPLvHcESHA=",
                "domainName": "abc123.execute-api.eu-west-1.amazonaws.com",
                "http": {
                    "method": request.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.7",
                    "userAgent": "test",
                },
                "timeEpoch": 1_795_242_600_000_u64,
            },
        })
    }

    fn v1(&self, request: &Request, path: &str, query: &str) -> Value {
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters
                .entry(decoded(name))
                .or_default()
                .push(decoded(value));
        }
        let last = |values: &BTreeMap<String, Vec<String>>| -> BTreeMap<String, String> {
            let all = values.iter();
            all.map(|(name, values)| (name.clone(), values.last().unwrap().clone()))
                .collect()
        };
        let headers = headers(request);
        let short = match self.kind {
            Kind::RestApi => {
                let short = path.strip_prefix(&format!("/{}", self.stage));
                short.unwrap_or_else(|| panic!("{path} is not on stage {}", self.stage))
            }
            _ => path,
        };
        let mut event = json!({
            "resource": "/{proxy+}",
            "path": short,
            "httpMethod": request.method,
            "headers": last(&headers),
            "multiValueHeaders": headers,
            "queryStringParameters": (!parameters.is_empty()).then(|| last(&parameters)),
            "multiValueQueryStringParameters": (!parameters.is_empty()).then_some(&parameters),
            "requestContext": {
                "stage": self.stage,
                "path": path,
                "requestId": "41b45ea3-70b5-11e6-b7bd-69b5aaebc7d9",
                "httpMethod": request.method,
                "identity": { "sourceIp": "192.0.2.7" },
            },
        });
        if self.kind == Kind::HttpApiV1 {
            event["version"] = "1.0".into();
        }
        event
    }
}

/// The values of each header, in their order.
fn headers(request: &Request) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &request.headers {
        headers.entry(name.clone()).or_default().push(value.clone());
    }
    headers
}

/// The body of the event: text where the content type says so, else base64.
fn body_of(request: &Request) -> (Value, bool) {
    if request.body.is_empty() {
        return (Value::Null, false);
    }
    let content_type = request.header("content-type").unwrap_or_default();
    let is_text = content_type.starts_with("text/") || content_type.contains("json");
    match std::str::from_utf8(&request.body) {
        Ok(text) if is_text => (text.into(), false),
        _ => (STANDARD.encode(&request.body).into(), true),
    }
}

/// Writes what the function answered, as a gateway does.
fn write_outcome(stream: &mut TcpStream, outcome: Outcome) -> std::io::Result<()> {
    let Ok(answer) = outcome else {
        let body = br#"{"message":"Internal Server Error"}"#;
        return http::write(stream, 502, &[], body);
    };
    let mut headers = Vec::new();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap().to_owned()));
    }
    for (name, values) in answer["multiValueHeaders"]
        .as_object()
        .into_iter()
        .flatten()
    {
        for value in values.as_array().unwrap() {
            headers.push((name.clone(), value.as_str().unwrap().to_owned()));
        }
    }
    headers.retain(|(name, _)| name != "content-length");
    let status = answer["statusCode"].as_u64().unwrap().try_into().unwrap();
    let body = answer["body"].as_str().unwrap();
    http::write(stream, status, &headers, body.as_bytes())
}
