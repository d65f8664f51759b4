//! A fresh server with an empty store, the keys of these tests, and what /v1 says about users.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};
use streamgate_testkit::{Answer, Server, call, exchange, serve_arguments, streamgate};
use tempfile::TempDir;

use crate::dialects::ask::Ask;
use crate::dialects::dialect::Dialect;

/// The key in the recordings of concurrency-service; its scope is `player`.
pub(crate) const PLAYER_KEY: &str = "d41d8cd98f00b204e9800998ecf8427e";
/// A key of scope `admin`.
pub(crate) const ADMIN_KEY: &str = "the-key-of-the-operator";
/// A key of scope `admin` of another tenant.
pub(crate) const OTHER_TENANT_KEY: &str = "the-key-of-another-tenant";

/// The setting `keys`, with the SHA-256 of each.
pub(crate) const KEYS: &str = r#"[
    { name = "recorded", scope = "player", sha256 = "f215faf9d88b7f0a881632ee22459ee452a296c808d261b6cc993d3a1fd0600e" },
    { name = "operator", scope = "admin", sha256 = "f15065732564691e5a4eddb4290489842996ae6a442bbb02994e9a8d635ba3d5" },
    { name = "other", scope = "admin", tenant = "other", sha256 = "fb28e8b84970c0eef54891f38920d7b44d3383c7d89659adceb74bf5386e1eb0" },
]"#;

/// A server that ends with the test, and its directory.
pub(crate) struct Service {
    server: Server,
    /// What it is told.
    arguments: Vec<String>,
    /// A key for /v1, where the server asks for one.
    key: Option<&'static str>,
    dir: TempDir,
}

impl Service {
    /// A server without keys. Each setting is `path=value`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::with(set(settings), None)
    }

    /// A server with the keys above.
    pub(crate) fn with_keys(settings: &[&str]) -> Self {
        Self::with(set(settings), Some(ADMIN_KEY))
    }

    /// The same, listening to the network.
    pub(crate) fn with_keys_for_the_network() -> Self {
        let listen = ["--listen", "0.0.0.0:0"].map(str::to_owned);
        let mut service = Self::with(listen.into(), Some(ADMIN_KEY));
        service.server.address.set_ip([127, 0, 0, 1].into());
        service
    }

    fn with(arguments: Vec<String>, key: Option<&'static str>) -> Self {
        let dir = TempDir::new().unwrap();
        Self {
            server: serve(&dir, &arguments, key),
            arguments,
            key,
            dir,
        }
    }

    /// Kills the server and starts it again.
    pub(crate) fn killed_and_started_again(self) -> Self {
        self.server.kill();
        Self {
            server: serve(&self.dir, &self.arguments, self.key),
            ..self
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Sends a request without a key.
    pub(crate) fn ask(&self, ask: &Ask) -> Answer {
        call(
            self.address(),
            ask.method,
            &ask.path,
            None,
            ask.body.as_ref(),
        )
    }

    /// Sends a request made of these parts, on a connection of its own.
    pub(crate) fn raw(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        exchange(self.address(), &raw_request(method, path, headers, body))
    }

    /// Starts a session, after the introduction that the dialect needs.
    pub(crate) fn start_session(&self, dialect: Dialect, user: &str, session: &str) -> Answer {
        self.introduce(dialect, user);
        self.ask(&dialect.start(user, session))
    }

    pub(crate) fn introduce(&self, dialect: Dialect, user: &str) {
        if let Some(ask) = dialect.introduction(user) {
            let answer = self.ask(&ask);
            assert_eq!(answer.text, format!("{user} created"), "{answer:?}");
        }
    }

    /// Calls /v1.
    pub(crate) fn v1(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        call(
            self.address(),
            method,
            &format!("/v1{path}"),
            self.key,
            body,
        )
    }

    pub(crate) fn set_limit(&self, user: &str, limit: usize) {
        let body = json!({ "limit": limit });
        let answer = self.v1("PUT", &format!("/users/{user}"), Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The sessions of a user as /v1 lists them.
    pub(crate) fn sessions(&self, user: &str) -> Vec<Value> {
        let answer = self.v1("GET", &format!("/users/{user}/sessions"), None);
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        let sessions = body["sessions"].as_array().unwrap();
        assert_eq!(body["active"], json!(sessions.len()));
        sessions.clone()
    }

    /// The ids of the live sessions of a user, in the order in which they started.
    pub(crate) fn live(&self, user: &str) -> Vec<String> {
        texts(&self.sessions(user), "session_id")
    }

    /// Every user that /v1 knows and every live session, in an order that says nothing.
    pub(crate) fn everything(&self) -> Everything {
        let list = |what: &str, name: &str| {
            let answer = self.v1("GET", &format!("/{what}?page_size=1000"), None);
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut ids = texts(answer.json()[what].as_array().unwrap(), name);
            ids.sort();
            ids
        };
        Everything {
            users: list("users", "user_id"),
            sessions: list("sessions", "session_id"),
        }
    }

    /// Ends the server, which must do so in order.
    pub(crate) fn end(self) {
        let ended = self.server.terminate();
        assert!(ended.status.success(), "{ended:?}");
    }
}

/// The arguments for these settings.
fn set(settings: &[&str]) -> Vec<String> {
    let arguments = settings.iter().flat_map(|setting| ["--set", setting]);
    arguments.map(str::to_owned).collect()
}

fn serve(dir: &TempDir, arguments: &[String], key: Option<&str>) -> Server {
    let mut command = streamgate(&serve_arguments(dir.path()));
    command.args(arguments);
    if key.is_some() {
        command.env("STREAMGATE_KEYS", KEYS);
    }
    Server::spawn(command)
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Everything {
    pub(crate) users: Vec<String>,
    pub(crate) sessions: Vec<String>,
}

fn texts(values: &[Value], name: &str) -> Vec<String> {
    let texts = values.iter().map(|value| value[name].as_str().unwrap());
    texts.map(str::to_owned).collect()
}

/// The bytes of a request that asks for the connection to be closed.
pub(crate) fn raw_request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "content-length: {}\r\n\r\n", body.len()).unwrap();
    [head.as_bytes(), body].concat()
}
