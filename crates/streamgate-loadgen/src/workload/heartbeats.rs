//! Heartbeats of live sessions, one or many per request.

use std::sync::Arc;

use serde::Deserialize;

use super::Slots;
use crate::api::Api;
use crate::load::{Ended, Fault, Load, Outcome, Sent, Tally};

/// Heartbeats of every session in turn, one per request.
#[derive(Debug)]
pub struct Heartbeats {
    api: Arc<Api>,
    turn: Turn,
}

/// Heartbeats of every session in turn, many per request.
#[derive(Debug)]
pub struct Batches {
    api: Arc<Api>,
    turn: Turn,
    size: u64,
    scratch: Vec<u8>,
}

/// The next session.
#[derive(Debug)]
struct Turn {
    slots: Slots,
    count: u64,
    next: u64,
}

/// The answer to a batch.
#[derive(Deserialize)]
struct BatchAnswer {
    renewed: u64,
    failed: Vec<FailedHeartbeat>,
}

#[derive(Deserialize)]
struct FailedHeartbeat {
    status: u16,
}

impl Heartbeats {
    /// Over a share of `total` sessions.
    #[must_use]
    pub fn new(api: Arc<Api>, slots: Slots, total: u64) -> Self {
        let turn = Turn::new(slots, total);
        Self { api, turn }
    }
}

impl Load for Heartbeats {
    fn kinds(&self) -> &'static [&'static str] {
        &["heartbeat"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        let place = self.turn.take(1)?;
        let session = self.turn.slots.session(place, 0);
        self.api.heartbeat(session, out);
        Some(Sent::of(0, session))
    }
}

impl Batches {
    /// Over a share of `total` sessions, `size` in a call.
    #[must_use]
    pub fn new(api: Arc<Api>, slots: Slots, total: u64, size: u64) -> Self {
        let turn = Turn::new(slots, total);
        Self {
            api,
            size: size.clamp(1, turn.count.max(1)),
            turn,
            scratch: Vec::new(),
        }
    }
}

impl Load for Batches {
    fn kinds(&self) -> &'static [&'static str] {
        &["heartbeat"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        let (first, size) = (self.turn.take(self.size)?, self.size);
        let (slots, count) = (self.turn.slots, self.turn.count);
        let sessions = (first..first + size).map(|place| slots.session(place % count, 0));
        self.api.heartbeats(sessions, &mut self.scratch, out);
        Some(Sent {
            requests: size,
            ..Sent::of(0, slots.session(first, 0))
        })
    }

    /// Counts each heartbeat of the call by its own status.
    fn ended(&mut self, sent: Sent, ended: &Ended<'_>, tally: &mut Tally) {
        let size = sent.requests;
        let body = match ended {
            Ended::Answered(answer) if answer.status == 200 => &answer.body,
            other => return tally.add(other.outcome(), size),
        };
        let each = serde_json::from_slice::<BatchAnswer>(body).ok();
        match each.filter(|each| each.renewed + each.failed.len() as u64 == size) {
            Some(each) => {
                tally.add(Outcome::Status(200), each.renewed);
                for failed in each.failed {
                    tally.add(Outcome::Status(failed.status), 1);
                }
            }
            None => tally.add(Outcome::Fault(Fault::Malformed), size),
        }
    }
}

impl Turn {
    fn new(slots: Slots, total: u64) -> Self {
        Self {
            slots,
            count: slots.share.count(total),
            next: 0,
        }
    }

    /// The next place; the one after it is `size` further on.
    fn take(&mut self, size: u64) -> Option<u64> {
        let place = self.next;
        self.next = (place + size).checked_rem(self.count)?;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::answer::Answer;
    use crate::api::tests::api;
    use crate::pace::Share;

    fn batches(total: u64, size: u64) -> Batches {
        let slots = Slots {
            share: Share::ALL,
            sessions_per_user: 1,
        };
        Batches::new(Arc::new(api(None)), slots, total, size)
    }

    fn users(batches: &mut Batches) -> Vec<String> {
        let mut out = Vec::new();
        batches.next(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let all = body["heartbeats"].as_array().unwrap().iter();
        all.map(|it| it["user_id"].as_str().unwrap()[4..].to_owned())
            .collect()
    }

    #[test]
    fn batches_go_round_and_contain_no_user_twice() {
        let mut five = batches(5, 3);
        assert_eq!(users(&mut five), ["00000", "00001", "00002"]);
        assert_eq!(users(&mut five), ["00003", "00004", "00000"]);
        assert_eq!(users(&mut batches(2, 1_000)).len(), 2);
        assert!(batches(0, 10).next(&mut Vec::new()).is_none());
    }

    #[test]
    fn a_call_counts_as_its_heartbeats() {
        let (mut tally, mut load) = (Tally::default(), batches(9, 3));
        let sent = load.next(&mut Vec::new()).unwrap();
        assert_eq!(sent.requests, 3);
        for (status, body) in [
            (
                200,
                r#"{"renewed":3,"heartbeat_interval_s":30,"failed":[]}"#,
            ),
            (
                200,
                r#"{"renewed":1,"failed":[{"index":0,"status":410},{"index":2,"status":404}]}"#,
            ),
            (503, r#"{"code":"store_unavailable"}"#),
            (200, "what?"),
            (200, r#"{"renewed":1,"failed":[]}"#),
        ] {
            let body = Cow::Borrowed(body.as_bytes());
            let ended = Ended::Answered(Answer { status, body });
            load.ended(sent, &ended, &mut tally);
        }
        load.ended(sent, &Ended::Failed(Fault::Closed), &mut tally);
        let of = |outcome| tally.of(outcome);
        assert_eq!(of(Outcome::Status(200)), 4);
        assert_eq!((of(Outcome::Status(410)), of(Outcome::Status(404))), (1, 1));
        assert_eq!(of(Outcome::Status(503)), 3);
        assert_eq!(of(Outcome::Fault(Fault::Malformed)), 6);
        assert_eq!(tally.total(), 6 * 3);
    }
}
