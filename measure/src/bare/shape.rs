//! What the bare server reads and answers: the members of Streamgate's own, without their meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Stands for every time: the server has no clock, and the length is what counts.
const TIME: &str = "2026-11-21T06:30:00.000Z";

/// What a start says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartBody {
    device_id: Option<String>,
    device_name: Option<String>,
    device_class: Option<String>,
    content_id: Option<String>,
    content_type: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a BTreeMap<String, String>>,
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
                device_id: body.device_id.as_deref(),
                device_name: body.device_name.as_deref(),
                device_class: body.device_class.as_deref(),
                content_id: body.content_id.as_deref(),
                content_type: body.content_type.as_deref(),
                attributes: body.attributes.as_ref(),
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
