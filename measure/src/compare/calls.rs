//! What is sent: the same users and sessions to every server, in every round.

use std::net::TcpStream;
use std::sync::Arc;

use streamgate_loadgen::workload::{Batches, Heartbeats, Slots, Starts, Stops};
use streamgate_loadgen::{
    Api, Ended, Framing, Outcome, Population, Requests, Sent, Session, Share, Tally, Target, http1,
};

use super::resp::{ask, resp, write_argument, write_count};
use crate::Result;
use crate::servers::BATCH;

/// What a start says of itself, to whoever reads JSON.
pub(crate) const FACTS: &str =
    r#"{"device_id":"tv-7f3a","content_id":"film-1917","attributes":{"app":"3.2"}}"#;

/// Sessions of each user.
pub(crate) const SESSIONS_PER_USER: u64 = 2;

/// What makes the ids; any number does, as long as it is always the same.
const SEED: u64 = 7;

/// What sessions' ids say of the time; any will do.
pub(crate) const IDS_MADE_MS: u64 = 1_795_242_600_000;

/// Streamgate's defaults, for those who have to be told.
const LEASE_MS: &str = "90000";
const LIMIT: &str = "3";

const SLOTS: Slots = Slots {
    share: Share::ALL,
    sessions_per_user: SESSIONS_PER_USER,
};

/// Somebody who calls a server in its language.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Http(Arc<Api>),
    Redis(Arc<Scripts>),
}

/// Requests of one kind, whatever the language.
pub(crate) enum Calls {
    /// Each about one session.
    Single(Box<dyn Requests<Tag = ()>>),
    /// Each about many.
    Batches(Batches),
}

/// Scripts that a Redis server has been given.
#[derive(Debug)]
pub(crate) struct Scripts {
    population: Population,
    start_sha1: String,
    heartbeat_sha1: String,
}

impl Caller {
    /// Calls a server that speaks HTTP, with a key if it wants one.
    pub(crate) fn http(target: &Target, key: Option<&str>) -> Result<Self> {
        let api = Api::new(target, population()?, key)?.with_metadata(FACTS);
        Ok(Self::Http(Arc::new(api)))
    }

    /// Gives a Redis server its scripts.
    pub(crate) fn redis(stream: &mut TcpStream) -> Result<Self> {
        let mut load = |script| ask(stream, &["SCRIPT", "LOAD", script]);
        Ok(Self::Redis(Arc::new(Scripts {
            population: population()?,
            start_sha1: load(include_str!("redis_start.lua"))?,
            heartbeat_sha1: load(include_str!("redis_heartbeat.lua"))?,
        })))
    }

    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::Http(_) => http1,
            Self::Redis(_) => resp,
        }
    }

    /// Starts of so many sessions, each once; without an end, unless said otherwise.
    pub(crate) fn starts(&self, total: Option<u64>) -> Calls {
        let api = match self {
            Self::Http(api) => Arc::clone(api),
            Self::Redis(scripts) => {
                let end = total.unwrap_or(u64::MAX);
                return Calls::script(scripts, Script::Start { end });
            }
        };
        Calls::Single(Box::new(match total {
            Some(total) => Starts::fill(api, SLOTS, total),
            None => Starts::ever(api, SLOTS),
        }))
    }

    /// Heartbeats of so many sessions, each in turn.
    pub(crate) fn heartbeats(&self, total: u64) -> Calls {
        match self {
            Self::Http(api) => {
                let beats = Heartbeats::new(Arc::clone(api), SLOTS, total);
                Calls::Single(Box::new(beats))
            }
            Self::Redis(scripts) => Calls::script(scripts, Script::Heartbeat { of: total }),
        }
    }

    /// Stops of so many sessions, each once; nothing, where nobody wrote a script for it.
    pub(crate) fn stops(&self, total: u64) -> Option<Calls> {
        let Self::Http(api) = self else {
            return None;
        };
        let sessions = (0..total).map(|place| SLOTS.session(place, 0));
        let stops = Stops::of(Arc::clone(api), Box::new(sessions));
        Some(Calls::Single(Box::new(stops)))
    }

    /// The same heartbeats, [`BATCH`] in a call; nothing, where nobody wrote a script for it.
    pub(crate) fn batches(&self, total: u64) -> Option<Calls> {
        let Self::Http(api) = self else {
            return None;
        };
        let batches = Batches::new(Arc::clone(api), SLOTS, total, BATCH);
        Some(Calls::Batches(batches))
    }
}

fn population() -> Result<Population> {
    Ok(Population::new("bench-", SEED, IDS_MADE_MS)?)
}

/// The ids of the first user and of the first session, as they stand in requests.
pub(crate) fn first() -> Result<(String, String)> {
    let (population, first) = (population()?, SLOTS.session(0, 0));
    let (mut user, mut session) = (Vec::new(), Vec::new());
    population.write_user(first.user, &mut user);
    population.write_session(first, &mut session);
    Ok((String::from_utf8(user)?, String::from_utf8(session)?))
}

impl Calls {
    fn script(scripts: &Arc<Scripts>, script: Script) -> Self {
        Self::Single(Box::new(ScriptCalls::new(Arc::clone(scripts), script)))
    }
}

impl Requests for Calls {
    /// How many requests the call counts as.
    type Tag = u64;

    fn kinds(&self) -> Vec<&'static str> {
        match self {
            Self::Single(calls) => calls.kinds(),
            Self::Batches(calls) => calls.kinds(),
        }
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<u64>> {
        match self {
            Self::Single(calls) => calls
                .next(out)
                .map(|Sent { kind, tag: () }| Sent { kind, tag: 1 }),
            Self::Batches(calls) => calls.next(out),
        }
    }

    fn ended(&mut self, tag: u64, ended: &Ended<'_>, tally: &mut Tally) {
        match self {
            Self::Single(calls) => calls.ended((), ended, tally),
            Self::Batches(calls) => calls.ended(tag, ended, tally),
        }
    }
}

/// Which script is called, and about which sessions.
#[derive(Debug, Clone, Copy)]
enum Script {
    Start { end: u64 },
    Heartbeat { of: u64 },
}

/// Calls of one script.
struct ScriptCalls {
    scripts: Arc<Scripts>,
    script: Script,
    next: u64,
    /// What all requests begin with.
    head: Vec<u8>,
    /// What all end with.
    tail: Vec<u8>,
    scratch: Vec<u8>,
}

impl ScriptCalls {
    fn new(scripts: Arc<Scripts>, script: Script) -> Self {
        let (sha1, rest): (_, &[&str]) = match script {
            Script::Start { .. } => (&scripts.start_sha1, &[LEASE_MS, LIMIT]),
            Script::Heartbeat { .. } => (&scripts.heartbeat_sha1, &[LEASE_MS]),
        };
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        let first = ["EVALSHA", sha1, "1"];
        // The user and the session stand in the middle.
        write_count(first.len() + 2 + rest.len(), &mut head);
        for argument in first {
            write_argument(argument.as_bytes(), &mut head);
        }
        for argument in rest {
            write_argument(argument.as_bytes(), &mut tail);
        }
        Self {
            scripts,
            script,
            next: 0,
            head,
            tail,
            scratch: Vec::new(),
        }
    }

    /// Whose turn it is.
    fn session(&mut self) -> Option<Session> {
        let place = match self.script {
            Script::Start { end } => (self.next < end).then_some(self.next)?,
            Script::Heartbeat { of } => self.next.checked_rem(of)?,
        };
        self.next += 1;
        Some(SLOTS.session(place, 0))
    }
}

impl Requests for ScriptCalls {
    type Tag = ();

    fn kinds(&self) -> Vec<&'static str> {
        vec![match self.script {
            Script::Start { .. } => "start",
            Script::Heartbeat { .. } => "heartbeat",
        }]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<()>> {
        let session = self.session()?;
        let population = &self.scripts.population;
        out.extend_from_slice(&self.head);
        self.scratch.clear();
        population.write_user(session.user, &mut self.scratch);
        write_argument(&self.scratch, out);
        self.scratch.clear();
        population.write_session(session, &mut self.scratch);
        write_argument(&self.scratch, out);
        out.extend_from_slice(&self.tail);
        Some(Sent { kind: 0, tag: () })
    }

    /// In the words of HTTP, so that a refusal is none of the successes.
    fn ended(&mut self, (): (), ended: &Ended<'_>, tally: &mut Tally) {
        let outcome = match (ended, self.script) {
            (Ended::Answered(answer), script) if answer.status == 200 => {
                Outcome::Status(match (answer.body.as_ref(), script) {
                    (b"1", Script::Start { .. }) => 201,
                    (b"1", Script::Heartbeat { .. }) => 200,
                    (b"0", Script::Start { .. }) => 409,
                    (b"0", Script::Heartbeat { .. }) => 410,
                    _ => 500,
                })
            }
            _ => ended.outcome(),
        };
        tally.add(outcome, 1);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use streamgate_loadgen::Answer;

    use super::*;

    fn redis() -> Caller {
        Caller::Redis(Arc::new(Scripts {
            population: population().unwrap(),
            start_sha1: "5a".to_owned(),
            heartbeat_sha1: "4b".to_owned(),
        }))
    }

    /// The arguments of the next request, or nothing.
    fn next(calls: &mut Calls) -> Option<Vec<String>> {
        let mut out = Vec::new();
        calls.next(&mut out)?;
        let text = String::from_utf8(out).unwrap();
        let mut lines = text.split("\r\n");
        let count: usize = lines.next().unwrap()[1..].parse().unwrap();
        let mut arguments = Vec::new();
        while let (Some(length), Some(argument)) = (lines.next(), lines.next()) {
            assert_eq!(length, format!("${}", argument.len()), "{text:?}");
            arguments.push(argument.to_owned());
        }
        assert_eq!(arguments.len(), count, "{text:?}");
        Some(arguments)
    }

    #[test]
    fn redis_is_asked_about_the_sessions_that_streamgate_is_asked_about() {
        let target = Target::parse("http://a").unwrap();
        let mut starts = redis().starts(None);
        let mut puts = Caller::http(&target, None).unwrap().starts(None);
        for place in 0..5 {
            let arguments = next(&mut starts).unwrap();
            assert_eq!(
                (&arguments[..3], &arguments[5..]),
                (
                    &["EVALSHA", "5a", "1"].map(str::to_owned)[..],
                    &["90000", "3"].map(str::to_owned)[..]
                )
            );
            let (user, session) = (&arguments[3], &arguments[4]);
            assert_eq!((user.len(), session.len()), (13, 36));
            assert!(user.ends_with(&(place / 2).to_string()), "{user}");
            let mut put = Vec::new();
            puts.next(&mut put).unwrap();
            let put = String::from_utf8(put).unwrap();
            let path = format!("PUT /v1/users/{user}/sessions/{session} HTTP/1.1\r\n");
            assert!(put.starts_with(&path), "{put}");
            assert!(put.ends_with(FACTS), "{put}");
        }
    }

    #[test]
    fn heartbeats_go_round_and_a_fill_ends() {
        let (mut beats, mut fill) = (redis().heartbeats(2), redis().starts(Some(2)));
        let started: Vec<String> = std::iter::from_fn(|| next(&mut fill).map(|it| it[4].clone()))
            .take(9)
            .collect();
        assert_eq!(started.len(), 2);
        let beaten: Vec<String> = (0..4)
            .map(|_| next(&mut beats).unwrap()[4].clone())
            .collect();
        assert_eq!(beaten, [&started[..], &started[..]].concat());
        assert!(next(&mut redis().heartbeats(0)).is_none());
    }

    #[test]
    fn a_batch_is_a_thousand_heartbeats_of_the_same_sessions() {
        let target = Target::parse("http://a").unwrap();
        let http = Caller::http(&target, None).unwrap();
        let mut batches = http.batches(1_500).unwrap();
        let mut out = Vec::new();
        assert_eq!(batches.next(&mut out).unwrap().tag, 1_000);
        let put = String::from_utf8(out).unwrap();
        assert!(put.starts_with("POST /v1/heartbeats HTTP/1.1\r\n"), "{put}");
        assert_eq!(put.matches("session_id").count(), 1_000);
        let (user, session) = first().unwrap();
        assert!(put.contains(&user) && put.contains(&session), "{put}");
        let tally = |calls: &mut Calls, body: &'static [u8]| {
            let (mut tally, body) = (Tally::default(), Cow::Borrowed(body));
            let answer = Answer { status: 200, body };
            calls.ended(1_000, &Ended::Answered(answer), &mut tally);
            (tally.total(), tally.of(Outcome::Status(200)))
        };
        let renewed = br#"{"renewed":1000,"failed":[]}"#;
        assert_eq!(tally(&mut batches, renewed), (1_000, 1_000));
        let one_failed = br#"{"renewed":999,"failed":[{"index":7,"status":410}]}"#;
        assert_eq!(tally(&mut batches, one_failed), (1_000, 999));
        assert!(redis().batches(1_500).is_none());
    }

    #[test]
    fn a_refusal_by_a_script_is_no_success() {
        let tally = |mut calls: Calls, status, body: &'static [u8]| {
            let mut tally = Tally::default();
            let body = Cow::Borrowed(body);
            calls.ended(1, &Ended::Answered(Answer { status, body }), &mut tally);
            let outcome = tally.iter().next().unwrap().0;
            outcome.name()
        };
        let (start, beat) = (|| redis().starts(None), || redis().heartbeats(1));
        assert_eq!(
            [tally(start(), 200, b"1"), tally(start(), 200, b"0")],
            ["201", "409"]
        );
        assert_eq!(
            [tally(beat(), 200, b"1"), tally(beat(), 200, b"0")],
            ["200", "410"]
        );
        assert_eq!(
            [tally(beat(), 200, b"?"), tally(start(), 500, b"NOSCRIPT")],
            ["500", "500"]
        );
    }
}
