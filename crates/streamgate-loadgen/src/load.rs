//! What is sent, and what becomes of it.
//!
//! What is *not* here: the times of an open loop (`pace`), sockets (`connection`), the sessions of
//! an audience (`workload`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::answer::Answer;

/// Time in nanoseconds, since the beginning of a drive.
pub type Nanos = u64;

/// A request that has been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent<T> {
    /// Which of the load's kinds it is: an index of what `kinds` says.
    pub kind: usize,
    /// What the load wants to know when it ends.
    pub tag: T,
}

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
    /// The answer is not one.
    Malformed,
    /// No answer came in time.
    Timeout,
    /// No connection was free in time.
    Unsent,
}

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A status of HTTP.
    Status(u16),
    /// No answer.
    Fault(Fault),
}

/// How often each outcome was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Outcome, u64>);

/// Requests one after the other, without times. A load has one for each thread.
pub trait Requests: Send {
    /// What is kept of a request until it ends.
    type Tag: Send;

    /// The names of the kinds of request, such as `start` and `stop`; they are measured apart.
    fn kinds(&self) -> Vec<&'static str>;

    /// Appends the next request to `out`, every byte of it. `None` ends the drive.
    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<Self::Tag>>;

    /// Hears how a request ended, and says what it counts as.
    fn ended(&mut self, _tag: Self::Tag, ended: &Ended<'_>, tally: &mut Tally) {
        tally.add(ended.outcome(), 1);
    }
}

/// When a request is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// As soon as a connection is free.
    Now,
    /// At this time. Latency counts from it.
    At(Nanos),
    /// There are no more.
    Never,
}

/// Requests with times.
pub trait Load: Send {
    /// As in [`Requests`].
    type Tag: Send;

    /// As in [`Requests`].
    fn kinds(&self) -> Vec<&'static str>;

    /// When the next request is due; times never go back.
    fn due(&mut self) -> Due;

    /// As in [`Requests`]; the request that is due.
    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<Self::Tag>>;

    /// As in [`Requests`].
    fn ended(&mut self, tag: Self::Tag, ended: &Ended<'_>, tally: &mut Tally);
}

/// A closed loop: every connection sends its next request as soon as it has its answer. It finds
/// the throughput, and says little about latency: while a server stalls, nobody asks.
#[derive(Debug)]
pub struct Closed<R>(pub R);

/// One request forever, of any kind, to any server.
#[derive(Debug, Clone)]
pub struct Same {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Ended<'_> {
    /// What it counts as.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(answer) => Outcome::Status(answer.status),
            Self::Failed(fault) => Outcome::Fault(*fault),
        }
    }
}

impl Outcome {
    /// Whether it is what was asked for.
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

impl Tally {
    /// So many more of an outcome.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        if count > 0 {
            *self.0.entry(outcome).or_default() += count;
        }
    }

    /// All outcomes there were, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> {
        self.0.iter().map(|(outcome, count)| (*outcome, *count))
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many were not what was asked for.
    #[must_use]
    pub fn errors(&self) -> u64 {
        let errors = self.iter().filter(|(outcome, _)| !outcome.is_success());
        errors.map(|(_, count)| count).sum()
    }

    /// How often this one was.
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

impl<R: Requests> Load for Closed<R> {
    type Tag = R::Tag;

    fn kinds(&self) -> Vec<&'static str> {
        self.0.kinds()
    }

    fn due(&mut self) -> Due {
        Due::Now
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<R::Tag>> {
        self.0.next(out)
    }

    fn ended(&mut self, tag: R::Tag, ended: &Ended<'_>, tally: &mut Tally) {
        self.0.ended(tag, ended, tally);
    }
}

impl Same {
    /// The request `bytes`, under a name for the report.
    #[must_use]
    pub fn new(name: &'static str, bytes: Vec<u8>) -> Self {
        Self { name, bytes }
    }
}

impl Requests for Same {
    type Tag = ();

    fn kinds(&self) -> Vec<&'static str> {
        vec![self.name]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<()>> {
        out.extend_from_slice(&self.bytes);
        Some(Sent { kind: 0, tag: () })
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
