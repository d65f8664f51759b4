//! Why a start was refused, as bytes that one node tells another. They are not stored, so there are
//! no golden files of them: a node that cannot read them passes them over.

use std::borrow::Cow;

use crate::admission::Refused;
use crate::codec::CodecError;
use crate::codec::parts::{SESSION_BYTES_MIN, option, put_option, put_session, session};
use crate::codec::wire::{Reader, begin, put_len, put_text, put_time, put_varint};

/// Room for a refusal with a few bare sessions.
const REFUSAL_BYTES_HINT: usize = 256;

/// The bytes of a refusal.
#[must_use]
pub fn encode_refusal(refused: &Refused) -> Vec<u8> {
    let mut out = begin(REFUSAL_BYTES_HINT);
    put_text(&mut out, &refused.rule);
    put_varint(&mut out, refused.limit);
    put_varint(&mut out, refused.active);
    put_option(&mut out, refused.next_slot_at.as_ref(), |out, at| {
        put_time(out, *at);
    });
    put_len(&mut out, refused.conflict.len());
    for session in &refused.conflict {
        put_session(&mut out, session);
    }
    out
}

/// Reads a refusal.
///
/// # Errors
/// [`CodecError`] where the bytes are none, or of a newer release.
pub fn decode_refusal(bytes: &[u8]) -> Result<Refused, CodecError> {
    let mut reader = Reader::new(bytes)?;
    let rule = Cow::Owned(reader.text()?.to_owned());
    let limit = reader.varint()?;
    let active = reader.varint()?;
    let next_slot_at = option(&mut reader, Reader::time)?;
    let count = reader.count(SESSION_BYTES_MIN)?;
    let conflict: Result<Vec<_>, _> = (0..count).map(|_| session(&mut reader)).collect();
    let refused = Refused {
        rule,
        limit,
        active,
        conflict: conflict?,
        next_slot_at,
    };
    reader.finish()?;
    Ok(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seconds, Session, SessionId, Timestamp};

    #[test]
    fn a_refusal_is_read_as_it_was_written_and_a_part_of_it_is_none() {
        let at = Timestamp::from_millis;
        let session = |id: &str| Session {
            id: SessionId::new(id).unwrap(),
            started_at: at(1),
            last_seen_at: at(2),
            expires_at: at(90_002),
            lease: Seconds(90),
            metadata: None,
        };
        for (conflict, next_slot_at) in [
            (vec![], None),
            (vec![session("a"), session("b")], Some(at(90_002))),
        ] {
            let refused = Refused {
                rule: "limit".into(),
                limit: 3,
                active: 2,
                conflict,
                next_slot_at,
            };
            let bytes = encode_refusal(&refused);
            assert_eq!(decode_refusal(&bytes), Ok(refused));
            for end in 0..bytes.len() {
                assert!(decode_refusal(&bytes[..end]).is_err(), "{end}");
            }
        }
    }
}
