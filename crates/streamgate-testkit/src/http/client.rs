//! One connection that stays open, with one request at a time.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::answer::{Answer, session_ids};

/// A client with a connection of its own.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
}

/// Why there is no answer: the server is not there, or has ended the connection. Every call of
/// [`Client`] may fail so.
pub type Lost = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    /// Connects to a server.
    pub async fn connect(address: SocketAddr) -> Result<Self, Lost> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Makes a call, with a content type only if it has a body. A 503 must say when to retry.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Lost> {
        let answer = match body {
            Some(body) => self.send_as_json(method, path, body.to_string()).await?,
            None => {
                let request = Request::builder().method(method).uri(path);
                self.exchange(request.header("host", "test").body(Full::default())?)
                    .await?
            }
        };
        let says_when = !answer.header("retry-after").is_empty();
        assert!(
            answer.status != 503 || says_when,
            "it says when to come again: {answer:?}"
        );
        Ok(answer)
    }

    /// Makes a call with a body, possibly empty, whose content type is JSON.
    pub async fn send_as_json(
        &mut self,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<Answer, Lost> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "test")
            .header("content-type", "application/json")
            .body(Full::from(body))?;
        self.exchange(request).await
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let headers = head.headers.iter().map(|(name, value)| {
            let value = value.to_str().expect("headers are text");
            (name.to_string(), value.to_owned())
        });
        Ok(Answer {
            status: head.status.as_u16(),
            headers: headers.collect(),
            text: String::from_utf8(bytes.into())?,
        })
    }

    /// Starts a session.
    pub async fn start(&mut self, user: &str, session: &str) -> Result<Answer, Lost> {
        let path = format!("/v1/users/{user}/sessions/{session}");
        self.send("PUT", &path, None).await
    }

    /// Sends a heartbeat of a session.
    pub async fn heartbeat(&mut self, user: &str, session: &str) -> Result<Answer, Lost> {
        let path = format!("/v1/users/{user}/sessions/{session}/heartbeat");
        self.send("POST", &path, None).await
    }

    /// Stops a session.
    pub async fn stop(&mut self, user: &str, session: &str) -> Result<Answer, Lost> {
        let path = format!("/v1/users/{user}/sessions/{session}");
        self.send("DELETE", &path, None).await
    }

    /// Gives a user a limit of its own.
    pub async fn set_limit(&mut self, user: &str, limit: u32) -> Result<Answer, Lost> {
        let body = json!({ "limit": limit });
        self.send("PUT", &format!("/v1/users/{user}"), Some(&body))
            .await
    }

    /// The ids of the live sessions of a user, in the order in which they started.
    pub async fn live(&mut self, user: &str) -> Result<Vec<String>, Lost> {
        let path = format!("/v1/users/{user}/sessions");
        let answer = self.send("GET", &path, None).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(session_ids(&answer.json()["sessions"]))
    }

    /// Every live session of every user: user, then session.
    pub async fn all_live(&mut self) -> Result<Vec<(String, String)>, Lost> {
        let mut all = Vec::new();
        let mut query = "?page_size=1000".to_owned();
        loop {
            let path = format!("/v1/sessions{query}");
            let answer = self.send("GET", &path, None).await?;
            assert_eq!(answer.status, 200, "{answer:?}");
            let page = answer.json();
            for session in page["sessions"].as_array().unwrap() {
                let text = |name: &str| session[name].as_str().unwrap().to_owned();
                all.push((text("user_id"), text("session_id")));
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("?page_size=1000&cursor={cursor}"),
                None => return Ok(all),
            }
        }
    }
}
