//! One run of one subject: a fresh server, what must be there before, the load, what it cost. What
//! has no server runs in `disk`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use streamgate_loadgen::{
    Closed, Drive, Driven, Measured, Paced, ServerSummary, Share, Span, Stop, Tally,
};

use super::calls::{Calls, SESSIONS_PER_USER};
use super::disk;
use super::machine::processors;
use super::others::Others;
use super::server::Server;
use super::subject::{By, Doing, Subject};
use crate::Result;

/// How hard and how long.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// How long each run counts.
    pub(crate) seconds: f64,
    /// How long it runs before that.
    pub(crate) warm_up_s: f64,
    /// Of closed loops.
    pub(crate) connections: usize,
    /// Of open loops: [`CONNECTIONS_AT_A_RATE`].
    pub(crate) connections_at_a_rate: usize,
    /// Whose sessions heartbeats are for; starts are of ever new users.
    pub(crate) users: u64,
    pub(crate) sessions_per_user: u64,
}

/// Keep-alive connections of open loops, for every server alike.
///
/// Each carries one request at a time. Over 64 of them, 50,000 requests a second are sent when they
/// are due only as long as answers come within 1.28 ms on average: beyond that the connections
/// would be what is measured, and the loop open no more. These bear 5.12 ms.
pub(crate) const CONNECTIONS_AT_A_RATE: usize = 256;

impl Plan {
    /// Over how many connections a subject is called.
    pub(crate) fn connections_of(&self, per_second: Option<f64>) -> usize {
        match per_second {
            None => self.connections,
            Some(_) => self.connections_at_a_rate,
        }
    }
}

/// What one run came to.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Round {
    /// User and system time of the server; where there is none, of the thread that writes.
    pub(crate) cpu_us_per_request: f64,
    /// Resident memory of the server at the end.
    pub(crate) memory_bytes: Option<u64>,
    /// Sessions that were live then; nothing, where nothing is kept.
    pub(crate) sessions: Option<u64>,
    /// Which part of the machine's processors other processes had meanwhile, from 0 to 1.
    pub(crate) others_busy: f64,
    #[serde(flatten)]
    pub(crate) measured: Measured,
}

/// How much longer sessions are started than stops are measured: a stop has less to do.
const STOPS_AHEAD: f64 = 1.5;

/// Least processor time of a server that says something: the kernel counts it in hundredths of a
/// second.
const CPU_S_MIN: f64 = 0.03;

/// How often a run is tried that came to less.
const ATTEMPTS: u32 = 3;

/// Runs it once. All requests must be answered as was asked for: a server that refuses has less to
/// do, and to compare it would be wrong.
///
/// A run in which the server hardly ran, as when the whole machine stood still, has measured
/// nothing, and is done again.
pub(crate) fn run(subject: &Subject, plan: &Plan, dir: &Path) -> Result<Round> {
    for _ in 0..ATTEMPTS {
        let round = match &subject.by {
            By::Server(kind) => {
                let server = Server::start(kind, dir)?;
                Running { server, plan }.measure(subject)
            }
            By::Disk { is_busy } => {
                let per_second = subject.per_second.ok_or("a disk alone waits for nobody")?;
                disk::run(per_second, *is_busy, plan, dir)
            }
        };
        let round =
            round.map_err(|error| format!("{}: {error}; the comparison is void", subject.name))?;
        let Measured {
            servers, requests, ..
        } = &round.measured;
        let has_run = |server: &ServerSummary| server.used.cpu_s() >= CPU_S_MIN;
        if *requests > 0 && servers.iter().all(has_run) {
            return Ok(round);
        }
    }
    let name = &subject.name;
    Err(format!("{name}: it ran too little to be measured; give it more --seconds").into())
}

struct Running<'a> {
    server: Server,
    plan: &'a Plan,
}

impl Running<'_> {
    fn measure(&self, subject: &Subject) -> Result<Round> {
        let (caller, plan) = (&self.server.caller, self.plan);
        let mut warm_up = Duration::try_from_secs_f64(plan.warm_up_s)?;
        let seconds = Duration::try_from_secs_f64(plan.seconds)?;
        let fill = |starts, span| self.drive(Doing::Start, starts, None, span);
        let (before, calls) = match subject.doing {
            Doing::Start => (0, caller.starts(None)),
            Doing::Heartbeat | Doing::Batch => {
                let total = plan.users * SESSIONS_PER_USER;
                let fill = fill(caller.starts(Some(total)), Span::all())?;
                let beats = match subject.doing {
                    Doing::Batch => caller.batches(total).ok_or("nobody takes batches there")?,
                    _ => caller.heartbeats(total),
                };
                (fill.sent, beats)
            }
            Doing::Stop => {
                let span = Span::of(warm_up, seconds.mul_f64(STOPS_AHEAD));
                let fill = fill(caller.starts(None), span)?;
                // The server is warm; and what is stopped to warm it up again would be missed.
                warm_up = Duration::ZERO;
                let stops = caller.stops(fill.sent).ok_or("nobody can stop there")?;
                (fill.sent, stops)
            }
        };
        let span = Span::of(warm_up, seconds);
        let done = self.drive(subject.doing, calls, subject.per_second, span)?;
        let server = done.measured.servers.first();
        let server = server.ok_or("a server that runs can be measured")?;
        let sessions = match subject.doing {
            Doing::Start => before + done.sent,
            Doing::Heartbeat | Doing::Batch => before,
            Doing::Stop => before - done.sent,
        };
        Ok(Round {
            cpu_us_per_request: server.cpu_us_per_request,
            memory_bytes: Some(server.used.resident_bytes),
            sessions: subject.keeps_sessions().then_some(sessions),
            others_busy: done.others_busy,
            measured: done.measured,
        })
    }

    /// Drives requests, all of which must be answered as is asked of those who do this.
    fn drive(
        &self,
        doing: Doing,
        calls: Calls,
        per_second: Option<f64>,
        span: Span,
    ) -> Result<Done> {
        let connections = self.plan.connections_of(per_second);
        let mut drive = Drive::new(self.server.target.clone(), connections);
        drive.framing = self.server.caller.framing();
        drive.servers = vec![self.server.meter()?];
        // One thread: it shares the processors with the server, and is not what is measured.
        let (stop, others) = (Stop::default(), Others::than(&drive.servers)?);
        let mut done = match per_second {
            None => {
                let driven = drive.run(vec![Closed(calls)], span, &stop, &mut |_| {})?;
                Done::of(&driven, &drive, doing)?
            }
            Some(per_second) => {
                let paced = Paced::new(calls, per_second, Share::ALL);
                let driven = drive.run(vec![paced], span, &stop, &mut |_| {})?;
                Done::of(&driven, &drive, doing)?
            }
        };
        done.others_busy = others.share(processors())?;
        Ok(done)
    }
}

/// A load that went well.
struct Done {
    measured: Measured,
    /// All requests, those of the warm-up too.
    sent: u64,
    /// As in [`Round`], the warm-up included.
    others_busy: f64,
}

impl Done {
    fn of<L>(driven: &Driven<L>, drive: &Drive, doing: Doing) -> Result<Self> {
        let (before, counted) = (&driven.record.before, &driven.record.tally());
        for tally in [before, counted] {
            all_are(doing.status(), tally)?;
        }
        let lost = driven.record.connections_lost;
        if lost > 0 {
            return Err(format!("{lost} connections were lost").into());
        }
        Ok(Self {
            measured: Measured::of(driven, &drive.servers),
            sent: before.total() + counted.total(),
            others_busy: 0.0,
        })
    }
}

/// Fails if anything else was answered.
fn all_are(status: &str, tally: &Tally) -> Result<()> {
    let outcomes: Vec<(String, u64)> = tally.iter().map(|(it, count)| (it.name(), count)).collect();
    if outcomes.iter().all(|(name, _)| name == status) {
        return Ok(());
    }
    let outcomes: Vec<String> = outcomes
        .iter()
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    Err(format!("not all answers are {status}: {}", outcomes.join(", ")).into())
}

#[cfg(test)]
mod tests {
    use streamgate_loadgen::{Fault, Outcome};

    use super::*;

    #[test]
    fn one_answer_that_is_another_voids_a_run() {
        let mut tally = Tally::default();
        all_are("201", &tally).unwrap();
        tally.add(Outcome::Status(201), 1_000);
        all_are("201", &tally).unwrap();
        assert!(all_are("200", &tally).is_err());
        for other in [
            Outcome::Status(200),
            Outcome::Status(409),
            Outcome::Fault(Fault::Timeout),
        ] {
            let mut tally = tally.clone();
            tally.add(other, 1);
            let error = all_are("201", &tally).unwrap_err().to_string();
            assert!(error.contains("201: 1000"), "{error}");
            assert!(error.contains(&format!("{}: 1", other.name())), "{error}");
        }
    }
}
