//! Requests of Streamgate's API as bytes, written without allocation.

use std::io::Write as _;

use http::HeaderValue;

use crate::population::{Population, Session};
use crate::target::Target;

/// Writes requests of one run.
#[derive(Debug, Clone)]
pub struct Api {
    population: Population,
    base: Vec<u8>,
    /// From the version to the end of the head, for requests without a body.
    bare: Vec<u8>,
    /// From the version to the length of a body of JSON.
    with_json: Vec<u8>,
    /// The body of starts, as JSON; may be empty.
    metadata: Vec<u8>,
}

/// The API key cannot be sent in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key has characters that a header cannot carry")]
pub struct BadKey;

impl Api {
    /// The API of a server, called by the users of a run.
    ///
    /// # Errors
    ///
    /// Fails if the key cannot stand in a header.
    pub fn new(target: &Target, population: Population, key: Option<&str>) -> Result<Self, BadKey> {
        let mut shared = format!(" HTTP/1.1\r\nhost: {}\r\n", target.authority());
        if let Some(key) = key {
            HeaderValue::from_str(key).map_err(|_| BadKey)?;
            shared.extend(["x-api-key: ", key, "\r\n"]);
        }
        Ok(Self {
            population,
            base: target.base().as_bytes().to_vec(),
            bare: format!("{shared}content-length: 0\r\n\r\n").into_bytes(),
            with_json: format!("{shared}content-type: application/json\r\ncontent-length: ")
                .into_bytes(),
            metadata: Vec::new(),
        })
    }

    /// Gives starts this body, as JSON. Without it they have none.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &str) -> Self {
        self.metadata = metadata.as_bytes().to_vec();
        self
    }

    /// Appends a start.
    pub fn start(&self, session: Session, out: &mut Vec<u8>) {
        self.session(b"PUT ", session, out);
        if self.metadata.is_empty() {
            out.extend_from_slice(&self.bare);
        } else {
            self.json(&self.metadata, out);
        }
    }

    /// Appends a heartbeat.
    pub fn heartbeat(&self, session: Session, out: &mut Vec<u8>) {
        self.session(b"POST ", session, out);
        out.extend_from_slice(b"/heartbeat");
        out.extend_from_slice(&self.bare);
    }

    /// Appends a stop.
    pub fn stop(&self, session: Session, out: &mut Vec<u8>) {
        self.session(b"DELETE ", session, out);
        out.extend_from_slice(&self.bare);
    }

    /// Appends heartbeats of many sessions in one call; `scratch` is memory to work with.
    pub fn heartbeats(
        &self,
        sessions: impl Iterator<Item = Session>,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        scratch.clear();
        scratch.extend_from_slice(b"{\"heartbeats\":[");
        for (place, session) in sessions.enumerate() {
            scratch.extend_from_slice(if place == 0 { b"" } else { b"," });
            scratch.extend_from_slice(b"{\"user_id\":\"");
            self.population.write_user(session.user, scratch);
            scratch.extend_from_slice(b"\",\"session_id\":\"");
            self.population.write_session(session, scratch);
            scratch.extend_from_slice(b"\"}");
        }
        scratch.extend_from_slice(b"]}");
        out.extend_from_slice(b"POST ");
        out.extend_from_slice(&self.base);
        out.extend_from_slice(b"/v1/heartbeats");
        self.json(scratch, out);
    }

    /// Appends a request line up to the session.
    fn session(&self, method: &[u8], session: Session, out: &mut Vec<u8>) {
        out.extend_from_slice(method);
        out.extend_from_slice(&self.base);
        out.extend_from_slice(b"/v1/users/");
        self.population.write_user(session.user, out);
        out.extend_from_slice(b"/sessions/");
        self.population.write_session(session, out);
    }

    /// Appends what follows the path where there is a body.
    fn json(&self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.with_json);
        // Writing to memory cannot fail.
        let _ = write!(out, "{}", body.len());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The API of `http://a:1/base`, called by users whose ids begin with `p-00`.
    pub(crate) fn api(key: Option<&str>) -> Api {
        let target = Target::parse("http://a:1/base").unwrap();
        Api::new(&target, Population::new("p-", 0, 0).unwrap(), key).unwrap()
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn requests_name_the_session_the_key_and_their_length() {
        let session = Session { user: 1, number: 2 };
        let api = api(Some("secret"));
        let id = text(|out| api.population.write_session(session, out));
        let tail = " HTTP/1.1\r\nhost: a:1\r\nx-api-key: secret\r\n";
        let path = format!("/base/v1/users/p-0000001/sessions/{id}");
        assert_eq!(
            text(|out| api.start(session, out)),
            format!("PUT {path}{tail}content-length: 0\r\n\r\n")
        );
        assert_eq!(
            text(|out| api.stop(session, out)),
            format!("DELETE {path}{tail}content-length: 0\r\n\r\n")
        );
        assert_eq!(
            text(|out| api.heartbeat(session, out)),
            format!("POST {path}/heartbeat{tail}content-length: 0\r\n\r\n")
        );
        let json = "content-type: application/json\r\ncontent-length: ";
        let api = api.with_metadata("{\"device_id\":\"tv\"}");
        assert_eq!(
            text(|out| api.start(session, out)),
            format!("PUT {path}{tail}{json}18\r\n\r\n{{\"device_id\":\"tv\"}}")
        );
    }

    #[test]
    fn a_batch_names_every_session() {
        let sessions = (0..3).map(|number| Session { user: 7, number });
        let sent = text(|out| api(None).heartbeats(sessions, &mut b"old".to_vec(), out));
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /base/v1/heartbeats HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "{head}"
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["heartbeats"].as_array().unwrap().len(), 3);
        assert_eq!(body["heartbeats"][2]["user_id"], "p-0000007");
    }

    #[test]
    fn a_key_cannot_smuggle_a_header_in() {
        let target = Target::parse("http://a").unwrap();
        let population = Population::new("p", 0, 0).unwrap();
        let refused = Api::new(&target, population, Some("a\r\nb: c"));
        assert_eq!(refused.unwrap_err(), BadKey);
    }
}
