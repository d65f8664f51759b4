//! The parts that ledgers and events share: ids, metadata, sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bounds::LIMIT_MAX;
use crate::codec::CodecError;
use crate::codec::wire::{Reader, put_len, put_text, put_time, put_varint, raise_version};
use crate::ids::{Name, SessionId};
use crate::metadata::{Attributes, NAME_FIELDS, NameField, SessionMetadata};
use crate::session::{EndReason, Session};
use crate::time::{Seconds, Timestamp};

/// Bits of the byte before a session.
mod session_flag {
    pub(super) const METADATA: u8 = 1;
    /// The lease ends one lease after the last call, so its end is not stored.
    pub(super) const PLAIN_LEASE: u8 = 1 << 1;
    pub(super) const ALL: u8 = METADATA | PLAIN_LEASE;
}

/// The bit of the attributes in the byte before metadata, beside those of [`NAME_FIELDS`]; each
/// says that the field is there.
const ATTRIBUTES_FLAG: u8 = 1 << 5;

/// Fewest bytes of a session: flags, an id of one letter, two times and a lease.
pub(super) const SESSION_BYTES_MIN: usize = 1 + 2 + 6 + 6 + 1;
/// Fewest bytes of an attribute: two lengths and a key of one letter.
const ATTRIBUTE_BYTES_MIN: usize = 3;

/// The length byte of an id says which form follows: 0 for the 16 bytes of a UUID, else the
/// length of the text, which is never 0.
const UUID_MARK: u32 = 0;

pub(super) fn put_session_id(out: &mut Vec<u8>, id: &SessionId) {
    match id.as_uuid_bytes() {
        Some(bytes) => {
            put_varint(out, UUID_MARK);
            out.extend_from_slice(bytes);
        }
        None => id.with_str(|text| put_text(out, text)),
    }
}

pub(super) fn session_id(reader: &mut Reader<'_>) -> Result<SessionId, CodecError> {
    let len = reader.varint()?;
    if len == UUID_MARK {
        return Ok(SessionId::from_uuid_bytes(reader.array()?));
    }
    let text = std::str::from_utf8(reader.take(len as usize)?).ok();
    text.and_then(|text| SessionId::new(text).ok())
        .ok_or(CodecError::Invalid("a session id"))
}

pub(super) fn put_session(out: &mut Vec<u8>, session: &Session) {
    let plain = session.expires_at == session.last_seen_at.plus(session.lease);
    let metadata = session.metadata.as_deref();
    out.push(
        (if metadata.is_some() {
            session_flag::METADATA
        } else {
            0
        }) | (if plain { session_flag::PLAIN_LEASE } else { 0 }),
    );
    put_session_id(out, &session.id);
    put_time(out, session.started_at);
    put_time(out, session.last_seen_at);
    put_varint(out, session.lease.0);
    if !plain {
        put_time(out, session.expires_at);
    }
    if let Some(metadata) = metadata {
        put_metadata(out, metadata);
    }
}

pub(super) fn session(reader: &mut Reader<'_>) -> Result<Session, CodecError> {
    let flags = reader.byte()?;
    if flags & !session_flag::ALL != 0 {
        return Err(CodecError::Invalid("the flags of a session"));
    }
    let id = session_id(reader)?;
    let started_at = reader.time()?;
    let last_seen_at = reader.time()?;
    let lease = Seconds(reader.varint()?);
    let expires_at: Timestamp = if flags & session_flag::PLAIN_LEASE != 0 {
        last_seen_at.plus(lease)
    } else {
        reader.time()?
    };
    let metadata = if flags & session_flag::METADATA != 0 {
        Some(Arc::new(metadata(reader)?))
    } else {
        None
    };
    Ok(Session {
        id,
        started_at,
        last_seen_at,
        expires_at,
        lease,
        metadata,
    })
}

fn put_metadata(out: &mut Vec<u8>, metadata: &SessionMetadata) {
    let flags = out.len();
    out.push(0);
    for field in &NAME_FIELDS {
        if let Some(name) = (field.get)(metadata) {
            out[flags] |= field.flag;
            raise_version(out, field.since);
            put_text(out, name.as_str());
        }
    }
    if !metadata.attributes.is_empty() {
        out[flags] |= ATTRIBUTES_FLAG;
        put_attributes(out, &metadata.attributes);
    }
}

fn metadata(reader: &mut Reader<'_>) -> Result<SessionMetadata, CodecError> {
    let flags = reader.byte()?;
    let of_version = |field: &&NameField| field.since <= reader.version;
    let known = NAME_FIELDS.iter().filter(of_version);
    if flags & !known.fold(ATTRIBUTES_FLAG, |all, field| all | field.flag) != 0 {
        return Err(CodecError::Invalid("the flags of metadata"));
    }
    let mut metadata = SessionMetadata::default();
    for field in &NAME_FIELDS {
        if flags & field.flag != 0 {
            *(field.get_mut)(&mut metadata) = Some(name(reader)?);
        }
    }
    if flags & ATTRIBUTES_FLAG != 0 {
        metadata.attributes = attributes(reader)?;
    }
    Ok(metadata)
}

pub(super) fn name(reader: &mut Reader<'_>) -> Result<Name, CodecError> {
    Name::new(reader.text()?).map_err(|_| CodecError::Invalid("a name"))
}

/// The limit of a user, within the bounds of what can be set.
pub(super) fn limit(reader: &mut Reader<'_>) -> Result<u32, CodecError> {
    match reader.varint()? {
        limit @ 0..=LIMIT_MAX => Ok(limit),
        _ => Err(CodecError::Invalid("a limit")),
    }
}

pub(super) fn put_attributes(out: &mut Vec<u8>, attributes: &Attributes) {
    put_len(out, attributes.len());
    for (key, value) in attributes.iter() {
        put_text(out, key);
        put_text(out, value);
    }
}

pub(super) fn attributes(reader: &mut Reader<'_>) -> Result<Attributes, CodecError> {
    let mut entries = BTreeMap::new();
    for _ in 0..reader.count(ATTRIBUTE_BYTES_MIN)? {
        entries.insert(reader.text()?.into(), reader.text()?.into());
    }
    Attributes::new(entries).map_err(|_| CodecError::Invalid("an attribute"))
}

pub(super) fn put_reason(out: &mut Vec<u8>, reason: EndReason) {
    out.push(match reason {
        EndReason::Stopped => 0,
        EndReason::Expired => 1,
        EndReason::Evicted => 2,
        EndReason::Terminated => 3,
        EndReason::Revoked => 4,
    });
}

pub(super) fn reason(byte: u8) -> Result<EndReason, CodecError> {
    match byte {
        0 => Ok(EndReason::Stopped),
        1 => Ok(EndReason::Expired),
        2 => Ok(EndReason::Evicted),
        3 => Ok(EndReason::Terminated),
        4 => Ok(EndReason::Revoked),
        _ => Err(CodecError::Invalid("the reason of an ending")),
    }
}

/// Writes an optional part: a byte 0 or 1, then the part.
pub(super) fn put_option<T>(out: &mut Vec<u8>, part: Option<&T>, put: impl Fn(&mut Vec<u8>, &T)) {
    out.push(u8::from(part.is_some()));
    if let Some(part) = part {
        put(out, part);
    }
}

/// Reads what [`put_option`] wrote.
pub(super) fn option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Option<T>, CodecError> {
    match reader.byte()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        _ => Err(CodecError::Invalid("the mark of an optional part")),
    }
}
