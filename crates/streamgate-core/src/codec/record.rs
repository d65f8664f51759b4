//! A record: one ledger as bytes.

use crate::codec::CodecError;
use crate::codec::parts::{
    SESSION_BYTES_MIN, attributes, limit, name, put_attributes, put_reason, put_session,
    put_session_id, reason, session, session_id,
};
use crate::codec::wire::{Reader, begin, put_len, put_text, put_time, put_varint};
use crate::ledger::Ledger;
use crate::session::{EndReason, Ending};

/// Bits of the byte behind the version; each says that the part is there.
mod ledger_flag {
    pub(super) const LIMIT: u8 = 1;
    pub(super) const PLAN: u8 = 1 << 1;
    pub(super) const PROFILE: u8 = 1 << 2;
    pub(super) const ALL: u8 = LIMIT | PLAN | PROFILE;
}

/// Bits of the byte before an ending, above its reason.
mod ending_flag {
    pub(super) const TAKEN_BY: u8 = 1 << 6;
    pub(super) const REVIVABLE: u8 = 1 << 7;
    pub(super) const REASON: u8 = !(TAKEN_BY | REVIVABLE);
}

/// Room for the parts of a ledger that are always there, and for a bare session.
const HEADER_BYTES_HINT: usize = 8;
const SESSION_BYTES_HINT: usize = 40;
/// Fewest bytes of an ending: flags, a time and an id of one letter.
const ENDING_BYTES_MIN: usize = 1 + 6 + 2;

/// The bytes of a ledger, or `None` for an empty one, which needs no record.
#[must_use]
pub fn encode_ledger(ledger: &Ledger) -> Option<Vec<u8>> {
    if ledger.is_empty() {
        return None;
    }
    let sessions = ledger.live.len() + ledger.ended.len();
    let mut out = begin(HEADER_BYTES_HINT + SESSION_BYTES_HINT * sessions);
    let mut flags = 0;
    flags |= if ledger.limit.is_some() {
        ledger_flag::LIMIT
    } else {
        0
    };
    flags |= if ledger.plan.is_some() {
        ledger_flag::PLAN
    } else {
        0
    };
    flags |= if ledger.profile.is_empty() {
        0
    } else {
        ledger_flag::PROFILE
    };
    out.push(flags);
    if let Some(limit) = ledger.limit {
        put_varint(&mut out, limit);
    }
    if let Some(plan) = &ledger.plan {
        put_text(&mut out, plan.as_str());
    }
    if !ledger.profile.is_empty() {
        put_attributes(&mut out, &ledger.profile);
    }
    put_len(&mut out, ledger.live.len());
    for session in &ledger.live {
        put_session(&mut out, session);
    }
    put_len(&mut out, ledger.ended.len());
    for ending in &ledger.ended {
        put_ending(&mut out, ending);
    }
    Some(out)
}

/// Reads a ledger from the bytes of its record.
///
/// # Errors
/// [`CodecError`] where the bytes are not those of a ledger.
pub fn decode_ledger(bytes: &[u8]) -> Result<Ledger, CodecError> {
    let mut reader = Reader::new(bytes)?;
    let flags = reader.byte()?;
    if flags & !ledger_flag::ALL != 0 {
        return Err(CodecError::Invalid("the flags of a ledger"));
    }
    let mut ledger = Ledger::default();
    if flags & ledger_flag::LIMIT != 0 {
        ledger.limit = Some(limit(&mut reader)?);
    }
    if flags & ledger_flag::PLAN != 0 {
        ledger.plan = Some(name(&mut reader)?);
    }
    if flags & ledger_flag::PROFILE != 0 {
        ledger.profile = attributes(&mut reader)?;
    }
    let live = reader.count(SESSION_BYTES_MIN)?;
    ledger.live.reserve_exact(live + 1);
    for _ in 0..live {
        ledger.live.push(session(&mut reader)?);
    }
    let ended = reader.count(ENDING_BYTES_MIN)?;
    ledger.ended.reserve_exact(ended);
    for _ in 0..ended {
        ledger.ended.push(ending(&mut reader)?);
    }
    reader.finish()?;
    if ledger.is_empty() {
        // It needs no record, so it never had one.
        return Err(CodecError::Invalid("an empty ledger"));
    }
    Ok(ledger)
}

fn put_ending(out: &mut Vec<u8>, ending: &Ending) {
    let at = out.len();
    put_reason(out, ending.reason);
    out[at] |= if ending.taken_by.is_some() {
        ending_flag::TAKEN_BY
    } else {
        0
    };
    out[at] |= if ending.session.is_some() {
        ending_flag::REVIVABLE
    } else {
        0
    };
    put_time(out, ending.ended_at);
    match &ending.session {
        // The session brings its name along.
        Some(session) => put_session(out, session),
        None => put_session_id(out, &ending.id),
    }
    if let Some(taken_by) = &ending.taken_by {
        put_session_id(out, taken_by);
    }
}

fn ending(reader: &mut Reader<'_>) -> Result<Ending, CodecError> {
    let flags = reader.byte()?;
    let reason = reason(flags & ending_flag::REASON)?;
    let is_revivable = flags & ending_flag::REVIVABLE != 0;
    if is_revivable != (reason == EndReason::Expired) {
        return Err(CodecError::Invalid("the flags of an ending"));
    }
    let ended_at = reader.time()?;
    let (id, session) = if is_revivable {
        let session = session(reader)?;
        (session.id.clone(), Some(Box::new(session)))
    } else {
        (session_id(reader)?, None)
    };
    let taken_by = if flags & ending_flag::TAKEN_BY != 0 {
        Some(session_id(reader)?)
    } else {
        None
    };
    Ok(Ending {
        id,
        ended_at,
        reason,
        taken_by,
        session,
    })
}
