//! A notice: what one node tells another of a change. It is the delta, and the sessions that the
//! change ended, which the record no longer has. It is not stored, so there are no golden files of
//! it: a node that cannot read one reads the record.

use crate::bounds::NOTICE_SESSIONS_MAX_BYTES;
use crate::codec::CodecError;
use crate::codec::delta::{decode_kept, encode_kept, end, event, put_end, put_event};
use crate::codec::parts::{put_session, session};
use crate::codec::wire::Reader;
use crate::event::Event;
use crate::session::Ending;

/// The byte before an ending with its session. Deltas never have it.
const ENDED_WITH_SESSION: u8 = 128;

/// The bytes of the events that are told, or none where there are none. Of many sessions that ended
/// at once, the last come without theirs ([`NOTICE_SESSIONS_MAX_BYTES`]).
#[must_use]
pub fn encode_notice(events: &[Event]) -> Vec<u8> {
    encode_kept(events, |out, event| match event {
        Event::Ended(
            end @ Ending {
                session: Some(session),
                ..
            },
        ) if out.len() < NOTICE_SESSIONS_MAX_BYTES => {
            out.push(ENDED_WITH_SESSION);
            put_end(out, end);
            put_session(out, session);
        }
        event => put_event(out, event),
    })
}

/// Reads the events of a notice.
///
/// # Errors
/// [`CodecError`] where the bytes are none, or of a newer release.
pub fn decode_notice(bytes: &[u8]) -> Result<Vec<Event>, CodecError> {
    decode_kept(bytes, |tag, reader| match tag {
        ENDED_WITH_SESSION => ended_with_session(reader),
        tag => event(tag, reader),
    })
}

fn ended_with_session(reader: &mut Reader<'_>) -> Result<Event, CodecError> {
    let end = end(reader)?;
    let session = session(reader)?;
    if session.id != end.id {
        return Err(CodecError::Invalid("the session of an ending"));
    }
    Ok(Event::Ended(Ending {
        session: Some(Box::new(session)),
        ..end
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode_delta, encode_delta};
    use crate::{EndReason, Seconds, Session, SessionId, SessionMetadata, Timestamp};

    fn ended(id: &str, metadata: Option<SessionMetadata>) -> Event {
        let (id, at) = (SessionId::new(id).unwrap(), Timestamp::from_millis);
        Event::Ended(Ending {
            id: id.clone(),
            ended_at: at(3),
            reason: EndReason::Evicted,
            taken_by: Some(SessionId::new("taker").unwrap()),
            session: Some(Box::new(Session {
                id,
                started_at: at(1),
                last_seen_at: at(2),
                expires_at: at(90_002),
                lease: Seconds(90),
                metadata: metadata.map(Into::into),
            })),
        })
    }

    fn has_session(event: &Event) -> bool {
        matches!(event, Event::Ended(end) if end.session.is_some())
    }

    #[test]
    fn a_notice_holds_the_session_that_ended_and_a_delta_does_not() {
        let metadata = SessionMetadata {
            content_id: Some(crate::ids::Name::new("film").unwrap()),
            ..SessionMetadata::default()
        };
        let events = [
            ended("a", None),
            ended("b", Some(metadata)),
            Event::UserErased,
        ];
        let notice = encode_notice(&events);
        assert_eq!(decode_notice(&notice).as_deref(), Ok(&events[..]));
        for end in 0..notice.len() {
            assert!(decode_notice(&notice[..end]).is_err(), "{end}");
        }
        assert!(decode_delta(&notice).is_err(), "it is no delta");
        let delta = encode_delta(&events);
        assert_eq!(decode_notice(&delta), decode_delta(&delta));
        assert!(!decode_delta(&delta).unwrap().iter().any(has_session));
        assert!(encode_notice(&[]).is_empty());
    }

    #[test]
    fn a_session_under_the_ending_of_another_is_no_notice() {
        let (Event::Ended(mut end), Event::Ended(other)) = (ended("a", None), ended("b", None))
        else {
            unreachable!("both are endings");
        };
        end.session = other.session;
        let decoded = decode_notice(&encode_notice(&[Event::Ended(end)]));
        assert_eq!(
            decoded,
            Err(CodecError::Invalid("the session of an ending"))
        );
    }

    #[test]
    fn of_many_endings_the_last_come_without_their_session() {
        let profile = || SessionMetadata {
            device_name: Some(crate::ids::Name::new("n".repeat(256)).unwrap()),
            ..SessionMetadata::default()
        };
        let events: Vec<Event> = (0..1_000)
            .map(|n| ended(&format!("s{n}"), Some(profile())))
            .collect();
        let notice = encode_notice(&events);
        assert!(
            notice.len() < NOTICE_SESSIONS_MAX_BYTES + 1_000 * 64,
            "{}",
            notice.len()
        );
        let told = decode_notice(&notice).unwrap();
        assert_eq!(told.len(), events.len());
        let with = told.iter().take_while(|event| has_session(event)).count();
        assert!((50..500).contains(&with), "{with}");
        assert_eq!(told[..with], events[..with]);
        assert!(!told[with..].iter().any(has_session));
    }
}
