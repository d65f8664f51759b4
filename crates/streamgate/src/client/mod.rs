//! The command line as a client of the public HTTP API. There is no back door.
//!
//! What is *not* here: what is printed (the commands), what the API means (the server).

mod arguments;
mod problem;
mod tls;

use std::io::Read;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use streamgate_server::path_segment;
use ureq::Body;
use ureq::http::request::Builder;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::tls::TlsConfig;

use crate::exit::{Code, Failure};
pub(crate) use arguments::TextParser;
pub(crate) use tls::{ClientTls, TlsArgs, ureq_certificates};

/// Where `streamgate serve` listens with nothing set.
pub(crate) const URL_DEFAULT: &str = "http://127.0.0.1:8080";

/// How long a call may take in all.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Longest answer that is read: more than a page of a thousand sessions with all metadata at its
/// bound and every character escaped.
const ANSWER_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How to reach the server, and how to print its answers.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// The address of the server
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "STREAMGATE_URL",
        hide_env_values = true,
        default_value = URL_DEFAULT,
        value_parser = TextParser
    )]
    url: String,

    /// The API key, if the server asks for one
    #[arg(
        long,
        global = true,
        value_name = "KEY",
        env = "STREAMGATE_KEY",
        hide_env_values = true,
        value_parser = TextParser
    )]
    key: Option<String>,

    #[command(flatten)]
    tls: TlsArgs,

    /// Print the server's answer as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// A client of one server.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    key: Option<String>,
}

/// An answer: its status, and its body if that is JSON, else null.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Client {
    /// A client as the command line says.
    pub(crate) fn new(args: &ClientArgs) -> Result<Self, Failure> {
        let key = args.key.clone().filter(|key| !key.is_empty());
        Ok(Self::at(&args.url, key, &args.tls.load()?))
    }

    /// A client of the server at an address.
    pub(crate) fn at(url: &str, key: Option<String>, tls: &ClientTls) -> Self {
        Self::with(url, key, tls.for_calls())
    }

    /// A client of whatever answers at an address: its certificate is not verified, and no key is
    /// sent.
    pub(crate) fn unverified(url: &str, tls: &ClientTls) -> Self {
        Self::with(url, None, tls.unverified())
    }

    fn with(url: &str, key: Option<String>, tls: TlsConfig) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .tls_config(tls)
            .user_agent(concat!("streamgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self {
            agent,
            url: url.trim_end_matches('/').to_owned(),
            key,
        }
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Calls and gives the answer's body; a refusal is a failure that says why.
    pub(crate) fn call(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let answer = self.send(method, path, body)?;
        if (200..300).contains(&answer.status) {
            Ok(answer.body)
        } else {
            Err(self.refusal(&answer))
        }
    }

    /// The failure of an answer that refuses: the server's reason, and what to do about it.
    pub(crate) fn refusal(&self, answer: &Answer) -> Failure {
        problem::refusal(answer, &self.url)
    }

    /// Follows the cursors of a list, in pages of `page_size` entries. Returns the last page with
    /// the entries of all. A server without pages answers with all at once.
    pub(crate) fn all_pages(
        &self,
        path: &str,
        entries: &str,
        page_size: usize,
    ) -> Result<Map<String, Value>, Failure> {
        let mut all = Vec::new();
        let mut at = format!("{path}?page_size={page_size}");
        loop {
            let Value::Object(mut page) = self.call(&Method::GET, &at, None)? else {
                return Err(problem::not_ours(&self.url));
            };
            match page.get_mut(entries).map(Value::take) {
                Some(Value::Array(found)) => all.extend(found),
                _ => return Err(problem::not_ours(&self.url)),
            }
            let Some(Value::String(cursor)) = page.remove("next_cursor") else {
                page.insert(entries.to_owned(), Value::Array(all));
                return Ok(page);
            };
            let cursor = path_segment(&cursor);
            let next = format!("{path}?page_size={page_size}&cursor={cursor}");
            if next == at {
                // The cursor leads to the same page: following it would never end.
                return Err(problem::not_ours(&self.url));
            }
            at = next;
        }
    }

    /// Downloads: the body of the answer to a GET, to be read within `timeout`.
    pub(crate) fn download(&self, path: &str, timeout: Duration) -> Result<Box<dyn Read>, Failure> {
        let request = self
            .request(&Method::GET, path)
            .body(())
            .map_err(|error| problem::unusable(&self.url, &error))?;
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(TIMEOUT))
            .build();
        let answer = self
            .agent
            .run(request)
            .map_err(|error| problem::unreachable(&self.url, &error))?;
        if answer.status() == StatusCode::OK {
            return Ok(Box::new(answer.into_body().into_reader()));
        }
        Err(self.refusal(&self.read(answer)?))
    }

    /// Sends a request, whatever the answer.
    pub(crate) fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let request = self
            .request(method, path)
            .header("accept", "application/json");
        let sent = match body {
            None => request.body(()).map(|request| self.agent.run(request)),
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string())
                .map(|request| self.agent.run(request)),
        };
        let answer = sent
            .map_err(|error| problem::unusable(&self.url, &error))?
            .map_err(|error| problem::unreachable(&self.url, &error))?;
        self.read(answer)
    }

    /// The beginning of a request, with the key.
    fn request(&self, method: &Method, path: &str) -> Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    /// Reads an answer.
    fn read(&self, mut answer: Response<Body>) -> Result<Answer, Failure> {
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX_BYTES)
            .read_to_string()
            .map_err(|error| problem::unreachable(&self.url, &error))?;
        Ok(Answer {
            status: answer.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        })
    }
}

/// The path of a user.
pub(crate) fn user_path(user: &str) -> String {
    format!("/v1/users/{}", path_segment(user))
}

/// An id from the command line, if it can stand in a path and the server would not refuse it.
pub(crate) fn id(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A text member of a JSON object; empty if there is none.
pub(crate) fn text_of<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member of a JSON object as a cell of a table.
pub(crate) fn cell(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(other) => other.to_string(),
    }
}

/// Text of a server without control characters, which would steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// The failure of a command whose server answered something unexpected.
pub(crate) fn unexpected(client: &Client) -> Failure {
    problem::not_ours(&client.url)
}

/// The exit code of a failure that is the server's.
const REFUSED: Code = Code::Problem;
