//! Rebuilding a record from a log of deltas, for stores that keep one.

use crate::codec::{CodecError, decode_delta, decode_ledger, encode_ledger};
use crate::ledger::Ledger;
use crate::time::Timestamp;

/// The record after a delta; `None` in and out means that there is no record.
///
/// # Errors
/// [`CodecError`] where either is damaged.
pub fn apply_delta(record: Option<&[u8]>, delta: &[u8]) -> Result<Option<Vec<u8>>, CodecError> {
    let mut ledger = match record {
        Some(record) => decode_ledger(record)?,
        None => Ledger::default(),
    };
    for event in decode_delta(delta)? {
        ledger.apply(&event);
    }
    Ok(encode_ledger(&ledger))
}

/// A record after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graced {
    /// The bytes of the record.
    pub record: Vec<u8>,
    /// How many sessions came back.
    pub live: usize,
}

/// The record after a restart at `now`: every session that was live gets one lease of grace.
///
/// Heartbeats are in no log, so it is unknown which leases were over; a viewer who is still
/// watching must not lose a slot, and one who is not loses it one lease later. No time from before
/// the restart is compared with `now`: the clock may have been set meanwhile.
///
/// # Errors
/// [`CodecError`] where the record is damaged.
pub fn grant_grace(record: &[u8], now: Timestamp) -> Result<Graced, CodecError> {
    let mut ledger = decode_ledger(record)?;
    for session in &mut ledger.live {
        session.expires_at = now.plus(session.lease);
        session.last_seen_at = session.last_seen_at.min(now);
    }
    for ending in &mut ledger.ended {
        ending.ended_at = ending.ended_at.min(now);
    }
    let record = encode_ledger(&ledger).expect("a record is of a ledger that is not empty");
    Ok(Graced {
        record,
        live: ledger.live.len(),
    })
}
