//! The interface of a load: requests to send, and their outcomes.
//!
//! What is *not* here: the times of an open loop (`pace`), sockets (`connection`), the sessions of
//! an audience (`workload`).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::answer::Answer;
use crate::population::Session;

/// Time in nanoseconds, since the beginning of a drive.
pub type Nanos = u64;

/// A request that was sent, or could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Index into [`Load::kinds`].
    pub kind: usize,
    /// The session it is about, if it is about one.
    pub session: Session,
    /// Requests that it counts as: more than one for a batch.
    pub requests: u64,
}

/// Sessions that a load may have left live, to be stopped.
pub type Left = Box<dyn Iterator<Item = Session> + Send>;

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended<'a> {
    /// With an answer.
    Answered(Answer<'a>),
    /// Without one.
    Failed(Fault),
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection was closed.
    Closed,
    /// The answer is not HTTP.
    Malformed,
    /// No answer came in time.
    Timeout,
    /// No connection was free in time.
    Unsent,
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A status of HTTP.
    Status(u16),
    /// No answer.
    Fault(Fault),
}

/// How often each outcome occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Outcome, u64>);

/// When a request is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// As soon as a connection is free (closed loop).
    Now,
    /// At this time, from which its latency counts (open loop).
    At(Nanos),
    /// There are no more.
    Never,
}

/// The requests of one thread.
pub trait Load: Send {
    /// The names of the kinds of request, such as `start` and `stop`; each is measured separately.
    fn kinds(&self) -> &'static [&'static str];

    /// When the next request is due; times never decrease. The default is a closed loop: every
    /// connection sends its next request once it has its answer. That finds the throughput and says
    /// little about latency, because nothing is sent while the server stalls.
    fn due(&mut self) -> Due {
        Due::Now
    }

    /// Appends the request that is due to `out`, every byte of it. `None` ends the drive.
    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent>;

    /// Counts how a request ended.
    fn ended(&mut self, sent: Sent, ended: &Ended<'_>, tally: &mut Tally) {
        tally.add(ended.outcome(), sent.requests);
    }

    /// The sessions that are live, or may be, once the load has ended.
    fn left(self: Box<Self>) -> Left {
        Box::new(std::iter::empty())
    }
}

impl Sent {
    /// A request about one session.
    pub(crate) fn of(kind: usize, session: Session) -> Self {
        Self {
            kind,
            session,
            requests: 1,
        }
    }
}

impl Ended<'_> {
    /// Its outcome.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(answer) => Outcome::Status(answer.status),
            Self::Failed(fault) => Outcome::Fault(*fault),
        }
    }
}

impl Outcome {
    /// Whether the request succeeded (2xx).
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }

    /// The status, or a word for the fault.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Status(status) => status.to_string(),
            Self::Fault(Fault::Closed) => "closed".to_owned(),
            Self::Fault(Fault::Malformed) => "malformed".to_owned(),
            Self::Fault(Fault::Timeout) => "timeout".to_owned(),
            Self::Fault(Fault::Unsent) => "unsent".to_owned(),
        }
    }
}

impl fmt::Display for Tally {
    /// Each outcome with its count, such as `201: 5, timeout: 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self
            .iter()
            .map(|(it, count)| format!("{}: {count}", it.name()));
        f.write_str(&each.collect::<Vec<_>>().join(", "))
    }
}

impl Tally {
    /// Adds `count` of an outcome.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        if count > 0 {
            *self.0.entry(outcome).or_default() += count;
        }
    }

    /// The outcomes that occurred, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> {
        self.0.iter().map(|(outcome, count)| (*outcome, *count))
    }

    /// The number of requests.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The number of requests that did not succeed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        let errors = self.iter().filter(|(outcome, _)| !outcome.is_success());
        errors.map(|(_, count)| count).sum()
    }

    /// How often this outcome occurred.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.0.get(&outcome).copied().unwrap_or_default()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (outcome, count) in other.iter() {
            self.add(outcome, count);
        }
    }
}

/// A duration in nanoseconds.
pub(crate) fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_what_was_not_asked_for() {
        let mut tally = Tally::default();
        for (outcome, count) in [
            (Outcome::Status(201), 5),
            (Outcome::Status(409), 2),
            (Outcome::Status(302), 1),
            (Outcome::Fault(Fault::Timeout), 1),
            (Outcome::Status(500), 0),
        ] {
            tally.add(outcome, count);
        }
        assert_eq!((tally.total(), tally.errors()), (9, 4));
        assert_eq!(tally.iter().count(), 4);
        assert_eq!(tally.of(Outcome::Status(409)), 2);
    }
}
