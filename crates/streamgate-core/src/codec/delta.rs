//! A delta: the events of one decision as bytes, for stores that keep a log.
//!
//! Only what a crash must not lose is in it; see [`Durability`].

use crate::codec::CodecError;
use crate::codec::parts::{
    attributes, limit, name, option, put_attributes, put_option, put_reason, put_session,
    put_session_id, reason, session, session_id,
};
use crate::codec::wire::{Reader, begin, put_len, put_text, put_time, put_varint};
use crate::event::{Durability, Event};
use crate::session::{EndReason, Ending};

/// The byte before an event.
mod tag {
    pub(super) const STARTED: u8 = 1;
    pub(super) const REVIVED: u8 = 2;
    pub(super) const ENDED: u8 = 3;
    pub(super) const USER_SET: u8 = 4;
    pub(super) const USER_ERASED: u8 = 5;
    pub(super) const MADE_FINAL: u8 = 6;
}

/// Room for a bare start.
const DELTA_BYTES_HINT: usize = 48;
/// Fewest bytes of an event: the tag of an erased user.
const EVENT_BYTES_MIN: usize = 1;

/// The bytes of the events that a crash must not lose, or none where there are none.
#[must_use]
pub fn encode_delta(events: &[Event]) -> Vec<u8> {
    encode_kept(events, put_event)
}

/// The events that a crash must not lose, each as `put` writes it.
pub(super) fn encode_kept(events: &[Event], put: impl Fn(&mut Vec<u8>, &Event)) -> Vec<u8> {
    let kept = || {
        let kept = |event: &&Event| event.durability() > Durability::Memory;
        events.iter().filter(kept)
    };
    let count = kept().count();
    if count == 0 {
        return Vec::new();
    }
    let mut out = begin(DELTA_BYTES_HINT * count);
    // The count makes a delta whole or damaged: without it, one cut between two events would be
    // half a decision.
    put_len(&mut out, count);
    for event in kept() {
        put(&mut out, event);
    }
    out
}

/// Reads the events of a delta.
///
/// # Errors
/// [`CodecError`] where the bytes are not those of a delta.
pub fn decode_delta(bytes: &[u8]) -> Result<Vec<Event>, CodecError> {
    decode_kept(bytes, event)
}

/// The events, each read by `event` behind its tag.
pub(super) fn decode_kept(
    bytes: &[u8],
    event: impl Fn(u8, &mut Reader<'_>) -> Result<Event, CodecError>,
) -> Result<Vec<Event>, CodecError> {
    let mut reader = Reader::new(bytes)?;
    let count = reader.count(EVENT_BYTES_MIN)?;
    if count == 0 {
        return Err(CodecError::Invalid("a delta of no events"));
    }
    let mut events = Vec::new();
    for _ in 0..count {
        let tag = reader.byte()?;
        events.push(event(tag, &mut reader)?);
    }
    reader.finish()?;
    Ok(events)
}

pub(super) fn put_event(out: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Started(session) => {
            out.push(tag::STARTED);
            put_session(out, session);
        }
        Event::Revived(session) => {
            out.push(tag::REVIVED);
            put_session(out, session);
        }
        Event::Ended(end) => {
            out.push(tag::ENDED);
            put_end(out, end);
        }
        Event::MadeFinal(end) => {
            out.push(tag::MADE_FINAL);
            put_end(out, end);
        }
        Event::UserSet {
            limit,
            plan,
            profile,
        } => {
            out.push(tag::USER_SET);
            put_option(out, limit.as_ref(), |out, limit| put_varint(out, *limit));
            put_option(out, plan.as_ref(), |out, plan| put_text(out, plan.as_str()));
            put_attributes(out, profile);
        }
        Event::UserErased => out.push(tag::USER_ERASED),
        Event::Renewed { .. } | Event::Forgotten { .. } => {
            unreachable!("an event that a crash may lose is in no delta")
        }
    }
}

pub(super) fn put_end(out: &mut Vec<u8>, end: &Ending) {
    put_session_id(out, &end.id);
    put_time(out, end.ended_at);
    put_reason(out, end.reason);
    put_option(out, end.taken_by.as_ref(), put_session_id);
}

pub(super) fn event(tag: u8, reader: &mut Reader<'_>) -> Result<Event, CodecError> {
    Ok(match tag {
        tag::STARTED => Event::Started(session(reader)?),
        tag::REVIVED => Event::Revived(session(reader)?),
        tag::ENDED => Event::Ended(end(reader)?),
        tag::MADE_FINAL => match end(reader)? {
            // An expired ending is the one that is not final.
            end if end.reason == EndReason::Expired => {
                return Err(CodecError::Invalid("the reason of a final ending"));
            }
            end => Event::MadeFinal(end),
        },
        tag::USER_SET => Event::UserSet {
            limit: option(reader, limit)?,
            plan: option(reader, name)?,
            profile: attributes(reader)?,
        },
        tag::USER_ERASED => Event::UserErased,
        _ => return Err(CodecError::Invalid("the kind of an event")),
    })
}

pub(super) fn end(reader: &mut Reader<'_>) -> Result<Ending, CodecError> {
    Ok(Ending {
        id: session_id(reader)?,
        ended_at: reader.time()?,
        reason: reason(reader.byte()?)?,
        taken_by: option(reader, session_id)?,
        session: None,
    })
}
