//! A small HTTP client: one connection, one request at a time, as a player has.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// The `code` of a problem.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Why there is no answer: the server is gone, or goes.
pub(crate) type Lost = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Lost> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Lost> {
        let (_, answer) = self.exchange(method, path, body).await?;
        Ok(answer)
    }

    /// The same, with the headers of the answer.
    pub(crate) async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(HeaderMap, Answer), Lost> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "test");
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Full::from(body.to_string()))?,
            None => request.body(Full::default())?,
        };
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::SERVICE_UNAVAILABLE {
            let again = head.headers.get("retry-after");
            assert!(again.is_some(), "it says when to come again: {head:?}");
        }
        let bytes = body.collect().await?.to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)?
        };
        let status = head.status;
        Ok((head.headers, Answer { status, body }))
    }

    pub(crate) async fn start(&mut self, user: &str, session: &str) -> Result<Answer, Lost> {
        self.send("PUT", &format!("/v1/users/{user}/sessions/{session}"), None)
            .await
    }

    pub(crate) async fn heartbeat(&mut self, user: &str, session: &str) -> Result<Answer, Lost> {
        self.send(
            "POST",
            &format!("/v1/users/{user}/sessions/{session}/heartbeat"),
            None,
        )
        .await
    }

    pub(crate) async fn stop(&mut self, user: &str, session: &str) -> Result<Answer, Lost> {
        self.send(
            "DELETE",
            &format!("/v1/users/{user}/sessions/{session}"),
            None,
        )
        .await
    }

    pub(crate) async fn set_limit(&mut self, user: &str, limit: u32) -> Result<Answer, Lost> {
        self.send(
            "PUT",
            &format!("/v1/users/{user}"),
            Some(&json!({ "limit": limit })),
        )
        .await
    }

    /// The ids of the live sessions of a user, in the order in which they started.
    pub(crate) async fn live(&mut self, user: &str) -> Result<Vec<String>, Lost> {
        let answer = self
            .send("GET", &format!("/v1/users/{user}/sessions"), None)
            .await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(session_ids(&answer.body["sessions"]))
    }

    /// Every live session of every user: user, then session.
    pub(crate) async fn all_live(&mut self) -> Result<Vec<(String, String)>, Lost> {
        let mut all = Vec::new();
        let mut query = "?page_size=1000".to_owned();
        loop {
            let page = self
                .send("GET", &format!("/v1/sessions{query}"), None)
                .await?;
            assert_eq!(page.status, 200, "{page:?}");
            for session in page.body["sessions"].as_array().unwrap() {
                let text = |name: &str| session[name].as_str().unwrap().to_owned();
                all.push((text("user_id"), text("session_id")));
            }
            match page.body["next_cursor"].as_str() {
                Some(cursor) => query = format!("?page_size=1000&cursor={cursor}"),
                None => return Ok(all),
            }
        }
    }
}

pub(crate) fn session_ids(sessions: &Value) -> Vec<String> {
    sessions
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["session_id"].as_str().unwrap().to_owned())
        .collect()
}
