//! A request of a dialect's client.

use serde_json::Value;
use streamgate_testkit::{Answer, Client};

/// A request without a key.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl Ask {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
        }
    }

    pub(crate) fn with(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// Sends it as the predecessors' clients do: as JSON, also without a body.
    pub(crate) async fn send(&self, client: &mut Client) -> Answer {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let answer = client.send_as_json(self.method, &self.path, body).await;
        answer.unwrap()
    }
}
