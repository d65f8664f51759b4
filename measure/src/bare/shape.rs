//! What the bare server reads and answers: the members of Streamgate's own, without their meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Stands for every time: the server has no clock, and the length is what counts.
const TIME: &str = "2026-11-21T06:30:00.000Z";

/// What a start says of itself.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<String, String>>,
}

/// The answer to a start.
#[derive(Debug, Serialize)]
pub(super) struct StartAnswer<'a> {
    session: Session<'a>,
    limit: u32,
    active: u32,
    heartbeat_interval_s: u32,
    evicted: [Session<'a>; 0],
}

#[derive(Debug, Serialize)]
struct Session<'a> {
    session_id: &'a str,
    user_id: &'a str,
    /// Costs as much as members of its own: JSON writes structs and maps alike.
    #[serde(flatten)]
    said: &'a StartBody,
    started_at: &'a str,
    last_seen_at: &'a str,
    expires_at: &'a str,
}

/// The answer to a heartbeat.
#[derive(Debug, Serialize)]
pub(super) struct HeartbeatAnswer<'a> {
    session_id: &'a str,
    expires_at: &'a str,
    heartbeat_interval_s: u32,
    limit: u32,
    active: u32,
}

impl<'a> StartAnswer<'a> {
    /// Yes, always.
    pub(super) fn new(user_id: &'a str, session_id: &'a str, body: &'a StartBody) -> Self {
        Self {
            session: Session {
                session_id,
                user_id,
                said: body,
                started_at: TIME,
                last_seen_at: TIME,
                expires_at: TIME,
            },
            limit: 3,
            active: 1,
            heartbeat_interval_s: 30,
            evicted: [],
        }
    }
}

impl<'a> HeartbeatAnswer<'a> {
    /// Yes, always.
    pub(super) fn new(session_id: &'a str) -> Self {
        Self {
            session_id,
            expires_at: TIME,
            heartbeat_interval_s: 30,
            limit: 3,
            active: 1,
        }
    }
}
