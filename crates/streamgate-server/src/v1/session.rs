//! A session as callers see it.

use serde::{Serialize, Serializer};
use streamgate_core::ids::Name;
use streamgate_core::{self as core, Attributes, SessionId};
use streamgate_engine::Wall;
use utoipa::ToSchema;

use crate::wire::schema::{NameSchema, SessionIdSchema, UserIdSchema};
use crate::wire::text_map::TextMap;
use crate::wire::time::Time;

/// A session that holds a slot. Metadata that was not given is left out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session<'a> {
    /// The session, unique within its user.
    #[schema(value_type = SessionIdSchema)]
    session_id: IdText<'a>,
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// The device that plays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    device_id: Option<&'a str>,
    /// What its owner calls the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    device_name: Option<&'a str>,
    /// What kind of device it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    device_class: Option<&'a str>,
    /// What is played.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    content_id: Option<&'a str>,
    /// What kind of content it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    content_type: Option<&'a str>,
    /// Where it plays, as the caller names regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    region: Option<&'a str>,
    /// What else the caller wanted to see again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TextMap)]
    attributes: Option<AttributesMap<'a>>,
    /// When it started.
    started_at: Time,
    /// When its player called last.
    last_seen_at: Time,
    /// When the slot is free if its player does not call again.
    expires_at: Time,
}

impl<'a> Session<'a> {
    /// A session of this user, with its times on the wall clock. Metadata is borrowed, because a
    /// page can hold a thousand sessions.
    pub(crate) fn new(user_id: &'a str, session: &'a core::Session, wall: Wall) -> Self {
        let metadata = session.metadata.as_deref();
        let name = |pick: fn(&core::SessionMetadata) -> &Option<Name>| {
            metadata
                .and_then(|metadata| pick(metadata).as_ref())
                .map(Name::as_str)
        };
        Self {
            session_id: IdText(&session.id),
            user_id,
            device_id: name(|metadata| &metadata.device_id),
            device_name: name(|metadata| &metadata.device_name),
            device_class: name(|metadata| &metadata.device_class),
            content_id: name(|metadata| &metadata.content_id),
            content_type: name(|metadata| &metadata.content_type),
            region: name(|metadata| &metadata.region),
            attributes: metadata
                .map(|metadata| &metadata.attributes)
                .filter(|attributes| !attributes.is_empty())
                .map(AttributesMap),
            started_at: Time::at(session.started_at, wall),
            last_seen_at: Time::at(session.last_seen_at, wall),
            expires_at: Time::at(session.expires_at, wall),
        }
    }

    /// Several sessions of one user.
    pub(crate) fn list(user_id: &'a str, sessions: &'a [core::Session], wall: Wall) -> Vec<Self> {
        sessions
            .iter()
            .map(|session| Self::new(user_id, session, wall))
            .collect()
    }
}

/// A session id, written without an allocation.
#[derive(Debug)]
pub(crate) struct IdText<'a>(pub(crate) &'a SessionId);

impl Serialize for IdText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.with_str(|text| serializer.serialize_str(text))
    }
}

/// Attributes, written as an object.
#[derive(Debug)]
pub(crate) struct AttributesMap<'a>(pub(crate) &'a Attributes);

impl Serialize for AttributesMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}
