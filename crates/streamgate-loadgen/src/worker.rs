//! One thread of a drive: a loop over its connections that sends what is due and counts what ends.
//!
//! A request due while no connection is free stays in the load and keeps its due time. So the wait
//! counts in its latency, and no queue grows in memory.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::Sender;

use mio::event::Event;
use mio::{Events, Poll, Token};
use rustix::time::{ClockId, clock_gettime};

use crate::clock::{Alarm, Clock};
use crate::connection::{Connection, Dial, Flight, Happened, State};
use crate::load::{Due, Ended, Fault, Load, Nanos, Sent};
use crate::messages::{Message, Stop};
use crate::record::{Record, Span};

/// How often connections and the stop request are checked.
const CHORES_EVERY: Nanos = 100_000_000;

/// How long requests in flight may take after a stop.
const PATIENCE_WHEN_STOPPED: Nanos = 1_000_000_000;

/// Least time between two wake-ups for what is due.
///
/// A wake-up costs more than a request. With one for each of 20,000 requests a second the generator
/// took half a core of a virtual machine (26 µs a request), with this a third of one, and requests
/// go out 65 µs late in the median instead of 25. Answers wake it at any time, and what is due then
/// goes out with them.
const PACE_STEP: Nanos = 100_000;

/// Most events taken at once.
const EVENTS: usize = 1_024;

/// What all threads of a drive have in common.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) dial: Dial,
    pub(crate) timeout: Nanos,
    pub(crate) span: Span,
    pub(crate) stop: Stop,
}

pub(crate) struct Worker {
    counts: Counts,
    orders: Orders,
    clock: Clock,
    poll: Poll,
    alarm: Alarm,
    connections: Vec<Connection>,
    /// Connections that may be idle; others are skipped.
    idle: VecDeque<usize>,
    /// Whether more is to be sent.
    issuing: bool,
    /// Which second this is.
    second: u64,
    /// When connections are looked after next.
    chores_at: Nanos,
    /// When a connection was last up, as of the last chores.
    up_at: Nanos,
    /// Until when the drive lasts, once nothing more is to be sent.
    lasts_until: Nanos,
    cpu_at_begin: Option<Nanos>,
}

/// A load and its counts.
struct Counts {
    load: Box<dyn Load>,
    span: Span,
    /// What ended in this second.
    record: Record,
    in_flight: usize,
    /// The end of the last request that counts.
    last_end: Nanos,
}

/// The result of a thread.
pub(crate) struct Finished {
    pub(crate) load: Box<dyn Load>,
    /// Its processor time in the span.
    pub(crate) cpu: Nanos,
    pub(crate) last_end: Nanos,
    pub(crate) lasted_until: Nanos,
}

impl Worker {
    pub(crate) fn new(load: Box<dyn Load>, orders: Orders, connections: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(&poll)?;
        let record = Record::of_kinds(load.kinds().len());
        Ok(Self {
            counts: Counts {
                load,
                span: orders.span,
                record,
                in_flight: 0,
                last_end: 0,
            },
            orders,
            clock: Clock::start(),
            poll,
            alarm,
            connections: (0..connections).map(|_| Connection::new()).collect(),
            idle: VecDeque::with_capacity(connections),
            issuing: true,
            second: 0,
            chores_at: 0,
            up_at: 0,
            lasts_until: 0,
            cpu_at_begin: None,
        })
    }

    /// Opens all connections, before the clock starts.
    pub(crate) fn connect(&mut self) -> io::Result<()> {
        for index in 0..self.connections.len() {
            self.open(index)?;
        }
        let mut events = Events::with_capacity(EVENTS);
        while self.idle.len() < self.connections.len() {
            let now = self.clock.now();
            if now > self.orders.timeout {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let until = now + CHORES_EVERY;
            self.alarm.wait(&mut self.poll, &mut events, now, until)?;
            for event in &events {
                let index = event.token().0;
                let Some(connection) = self.connections.get_mut(index) else {
                    continue;
                };
                match connection.look(event.is_read_closed(), self.clock) {
                    Happened::Connected => self.idle.push_back(index),
                    Happened::Lost(error) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Sends and counts until the load or the span ends.
    pub(crate) fn run(mut self, clock: Clock, out: &Sender<Message>) -> io::Result<Finished> {
        self.clock = clock;
        for connection in &mut self.connections {
            if let State::Idle { since } = &mut connection.state {
                *since = 0;
            }
        }
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let now = self.clock.now();
            self.end_seconds(now, out);
            if now >= self.chores_at {
                self.chores(now);
            }
            self.issue();
            if !self.issuing && self.counts.in_flight == 0 && now >= self.lasts_until {
                break;
            }
            let now = self.clock.now();
            let until = self.wake_at(now);
            self.alarm.wait(&mut self.poll, &mut events, now, until)?;
            for event in &events {
                self.look(event);
                self.issue();
            }
        }
        self.end_seconds(self.clock.now(), out);
        self.hand_over(self.clock.now(), out);
        Ok(Finished {
            cpu: self
                .cpu_at_begin
                .map_or(0, |begin| thread_cpu().saturating_sub(begin)),
            last_end: self.counts.last_end,
            load: self.counts.load,
            lasted_until: self.lasts_until,
        })
    }

    /// Sends requests that are due, as far as connections are free.
    fn issue(&mut self) {
        while self.issuing {
            let Some(&index) = self.idle.front() else {
                return;
            };
            let connection = self.connections.get_mut(index);
            let connection = connection.expect("idle ones are among them");
            let State::Idle { since } = connection.state else {
                self.idle.pop_front();
                continue;
            };
            let now = self.clock.now();
            let (due, is_timed) = match self.counts.load.due() {
                Due::Now => (now, false),
                Due::At(due) => (due, true),
                Due::Never => (Nanos::MAX, false),
            };
            if due >= self.orders.span.end {
                self.end_of_span(now);
                return;
            }
            if due > now {
                return;
            }
            let Some(sent) = self.counts.load.next(connection.request()) else {
                self.stop_issuing(now);
                return;
            };
            self.idle.pop_front();
            if is_timed && since <= due && self.orders.span.counts(due) {
                self.counts.record.lateness.record(now - due);
            }
            self.counts.in_flight += 1;
            let flight = Flight { sent, due, at: now };
            if let Happened::Failed(flight, fault) = connection.launch(flight) {
                self.failed(index, flight, fault);
            }
        }
    }

    /// Handles an event of a connection.
    fn look(&mut self, event: &Event) {
        let index = event.token().0;
        // Only the alarm has a number that no connection has.
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        match connection.look(event.is_read_closed(), self.clock) {
            Happened::Nothing => {}
            Happened::Connected => self.idle.push_back(index),
            Happened::Lost(_) => {
                self.counts.record.connections_lost += 1;
                self.reopen(index);
            }
            Happened::Answered(flight, answer, now) => {
                self.counts.in_flight -= 1;
                let ended = Ended::Answered(answer);
                self.counts.ended(flight.sent, flight.due, now, &ended);
                let is_idle = matches!(connection.state, State::Idle { .. });
                if is_idle {
                    self.idle.push_back(index);
                } else {
                    // It carries one request only: that is how this server is, and no loss.
                    self.reopen(index);
                }
            }
            Happened::Failed(flight, fault) => self.failed(index, flight, fault),
        }
    }

    /// A request was lost with its connection.
    fn failed(&mut self, index: usize, flight: Flight, fault: Fault) {
        let now = self.clock.now();
        self.counts.record.connections_lost += 1;
        self.counts.in_flight -= 1;
        let ended = Ended::Failed(fault);
        self.counts.ended(flight.sent, flight.due, now, &ended);
        self.reopen(index);
    }

    /// Looks after connections: what waits for too long, what is down.
    fn chores(&mut self, now: Nanos) {
        self.chores_at = now + CHORES_EVERY;
        let lasts = self.issuing || now < self.lasts_until;
        if lasts && self.orders.stop.is_asked_for() {
            self.stop_issuing(now);
            self.orders.timeout = self.orders.timeout.min(PATIENCE_WHEN_STOPPED);
        }
        for index in 0..self.connections.len() {
            let Some(connection) = self.connections.get_mut(index) else {
                return;
            };
            match &connection.state {
                State::Idle { .. } => self.up_at = now,
                State::Busy(flight) => {
                    self.up_at = now;
                    let waits = now.saturating_sub(flight.at) > self.orders.timeout;
                    if waits && let Happened::Failed(flight, fault) = connection.give_up() {
                        self.failed(index, flight, fault);
                    }
                }
                State::Down { retry_at } if *retry_at <= now => self.reopen(index),
                State::Down { .. } | State::Connecting => {}
            }
        }
        self.give_up_what_waits(now);
    }

    /// What has been due for too long with no connection free will not be sent.
    fn give_up_what_waits(&mut self, now: Nanos) {
        while self.issuing {
            match self.counts.load.due() {
                Due::Now => {
                    // A closed loop has no due time; it ends if no connection has been up for the
                    // timeout.
                    let gone = now.saturating_sub(self.up_at) > self.orders.timeout;
                    if gone || now >= self.orders.span.end {
                        self.stop_issuing(now);
                    }
                    return;
                }
                Due::At(due) if due >= self.orders.span.end => return self.end_of_span(now),
                Due::At(due) if now.saturating_sub(due) > self.orders.timeout => {
                    let Some(sent) = self.counts.load.next(&mut Vec::new()) else {
                        return self.stop_issuing(now);
                    };
                    let ended = Ended::Failed(Fault::Unsent);
                    self.counts.ended(sent, due, now, &ended);
                }
                Due::At(_) => return,
                Due::Never => return self.end_of_span(now),
            }
        }
    }

    /// Nothing more is due in the span; it lasts to its end all the same, if it has one, so that a
    /// low rate is not made a higher one.
    fn end_of_span(&mut self, now: Nanos) {
        let end = self.orders.span.end;
        self.stop_issuing(if end == Nanos::MAX { now } else { now.max(end) });
    }

    /// Stops sending.
    fn stop_issuing(&mut self, lasts_until: Nanos) {
        self.issuing = false;
        self.lasts_until = lasts_until;
    }

    /// Connects again. Where that fails it is tried again later, and counted then.
    fn reopen(&mut self, index: usize) {
        if self.issuing && self.open(index).is_err() {
            self.counts.record.connections_lost += 1;
        }
    }

    fn open(&mut self, index: usize) -> io::Result<()> {
        let connection = self.connections.get_mut(index).expect("it is one of them");
        let now = self.clock.now();
        connection.open(&self.orders.dial, self.poll.registry(), Token(index), now)
    }

    /// When to wake up without an event.
    fn wake_at(&mut self, now: Nanos) -> Nanos {
        let second = self.orders.span.end_of_second(self.second);
        let mut until = self.chores_at.min(second);
        if !self.issuing && self.counts.in_flight == 0 {
            until = until.min(self.lasts_until);
        }
        if self.issuing
            && !self.idle.is_empty()
            && let Due::At(due) = self.counts.load.due()
        {
            return until.min(due.max(now + PACE_STEP));
        }
        until
    }

    /// Reports the seconds that have ended.
    fn end_seconds(&mut self, now: Nanos, out: &Sender<Message>) {
        self.begin_if(now);
        loop {
            let end = self.orders.span.end_of_second(self.second);
            if now < end {
                return;
            }
            self.hand_over(end, out);
        }
    }

    fn hand_over(&mut self, end: Nanos, out: &Sender<Message>) {
        let empty = Record::of_kinds(self.counts.record.kinds.len());
        let record = std::mem::replace(&mut self.counts.record, empty);
        // The drive listens until all threads have ended.
        let _ = out.send(Message::Second {
            number: self.second,
            end,
            record: Box::new(record),
        });
        self.second += 1;
    }

    /// Reads the processor time at the beginning of the span.
    fn begin_if(&mut self, now: Nanos) {
        if self.cpu_at_begin.is_none() && now >= self.orders.span.begin {
            self.cpu_at_begin = Some(thread_cpu());
        }
    }
}

impl Counts {
    /// Counts a request that ended, if it was due in the span.
    fn ended(&mut self, sent: Sent, due: Nanos, now: Nanos, ended: &Ended<'_>) {
        if !self.span.counts(due) {
            return self.load.ended(sent, ended, &mut self.record.before);
        }
        let kind = self.record.kinds.get_mut(sent.kind);
        let kind = kind.expect("a load names all its kinds");
        self.load.ended(sent, ended, &mut kind.tally);
        kind.latencies.record(now.saturating_sub(due));
        self.last_end = now;
    }
}

/// The processor time of this thread.
fn thread_cpu() -> Nanos {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Nanos::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + Nanos::try_from(time.tv_nsec).unwrap_or_default()
}
