//! Driving a load: its threads, from the first connection to the last answer.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::connection::Dial;
use crate::load::{Load, Nanos, nanos};
use crate::messages::{Message, Stop};
use crate::pace::Share;
use crate::process::{ProcessMeter, ProcessReading, ProcessUse};
use crate::record::{Record, Second, Span};
use crate::target::{Target, TargetError};
use crate::worker::{Finished, Orders, Worker};

/// How long an answer may take, unless said otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How a load is driven.
#[derive(Debug, Clone)]
pub struct Drive {
    /// The server.
    pub target: Target,
    /// Keep-alive connections, over all threads.
    pub connections: usize,
    /// How long a request may take from being sent to its answer, and how long one that is due may
    /// wait for a connection.
    pub timeout: Duration,
    /// Processes whose processor time and memory are measured: the server, and its store.
    pub servers: Vec<ProcessMeter>,
}

/// The result of a drive.
pub struct Driven {
    /// The loads, for what they left.
    pub loads: Vec<Box<dyn Load>>,
    /// The names of their kinds.
    pub kinds: &'static [&'static str],
    /// What was counted.
    pub record: Record,
    /// The span, second by second.
    pub seconds: Vec<Second>,
    /// How long the span was, to the end of the last request that counts.
    pub elapsed: Duration,
    /// Processor time of the generator's threads in the span.
    pub cpu: Duration,
    /// What the servers used in the span, in their order.
    pub servers: Vec<ProcessUse>,
}

/// Why a load could not be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The server cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Not all connections could be made.
    #[error("not all of {connections} connections to {url} can be made: {error}")]
    Connect {
        /// How many there should be.
        connections: usize,
        /// The server.
        url: String,
        /// Why the first of them failed.
        error: io::Error,
    },
    /// A server's process cannot be measured.
    #[error("process {pid} cannot be measured: {error}")]
    Process {
        /// Its id.
        pid: u32,
        /// Why.
        error: io::Error,
    },
    /// A system call of the generator failed.
    #[error("the load generator has failed: {0}")]
    Io(#[from] io::Error),
}

impl Drive {
    /// A drive with the default timeout.
    #[must_use]
    pub fn new(target: Target, connections: usize) -> Self {
        Self {
            target,
            connections,
            timeout: TIMEOUT,
            servers: Vec::new(),
        }
    }

    /// Runs each load on a thread of its own, and calls `watch` at the end of every second.
    ///
    /// # Errors
    ///
    /// Fails if the server cannot be reached at the beginning, or a system call fails. Later errors
    /// of requests and connections are counted instead.
    pub fn run(
        &self,
        loads: Vec<Box<dyn Load>>,
        span: Span,
        stop: &Stop,
        watch: &mut dyn FnMut(&Second),
    ) -> Result<Driven, DriveError> {
        let kinds = loads.first().map(|load| load.kinds()).unwrap_or_default();
        let orders = Orders {
            dial: Dial {
                address: self.target.resolve()?,
                tls: self.target.tls().cloned(),
            },
            timeout: nanos(self.timeout),
            span,
            stop: stop.clone(),
        };
        let shares = Share::split(loads.len());
        let mut workers = Vec::new();
        for (load, share) in loads.into_iter().zip(&shares) {
            let connections = share.count(self.connections as u64);
            let connections = usize::try_from(connections).unwrap_or(self.connections);
            let mut worker = Worker::new(load, orders.clone(), connections)?;
            worker.connect().map_err(|error| DriveError::Connect {
                connections: self.connections,
                url: self.target.url().to_owned(),
                error,
            })?;
            workers.push(worker);
        }
        let mut merging = Merging::new(span, workers.len(), &self.servers)?;
        let finished = thread::scope(|scope| {
            let (out, messages) = channel();
            let clock = Clock::start();
            let run = |worker: Worker| {
                let out = out.clone();
                scope.spawn(move || {
                    let finished = worker.run(clock, &out);
                    let _ = out.send(Message::Finished);
                    finished
                })
            };
            let threads: Vec<_> = workers.into_iter().map(run).collect();
            drop(out);
            for message in messages {
                merging.hear(message, watch)?;
            }
            let mut all = Vec::new();
            for thread in threads {
                let panicked = |_| io::Error::other("a thread panicked");
                all.push(thread.join().map_err(panicked)??);
            }
            Ok::<_, DriveError>(all)
        })?;
        merging.driven(kinds, finished)
    }
}

impl fmt::Debug for Driven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut driven = f.debug_struct("Driven");
        driven.field("record", &self.record).finish_non_exhaustive()
    }
}

/// Merges the reports of the threads.
struct Merging<'a> {
    span: Span,
    /// Threads that still run.
    running: usize,
    meters: &'a [ProcessMeter],
    /// The meters where the span begins.
    before: Vec<ProcessReading>,
    /// Seconds that not all threads have ended.
    open: BTreeMap<u64, Open>,
    total: Record,
    seconds: Vec<Second>,
}

#[derive(Default)]
struct Open {
    record: Record,
    end: Nanos,
    said: usize,
}

impl<'a> Merging<'a> {
    fn new(span: Span, threads: usize, meters: &'a [ProcessMeter]) -> Result<Self, DriveError> {
        Ok(Self {
            span,
            running: threads,
            meters,
            before: read(meters)?,
            open: BTreeMap::new(),
            total: Record::default(),
            seconds: Vec::new(),
        })
    }

    fn hear(&mut self, message: Message, watch: &mut dyn FnMut(&Second)) -> Result<(), DriveError> {
        match message {
            Message::Second {
                number,
                end,
                record,
            } => {
                if end == self.span.begin && !self.open.contains_key(&number) {
                    self.before = read(self.meters)?;
                }
                let open = self.open.entry(number).or_default();
                open.record.merge(&record);
                open.end = open.end.max(end);
                open.said += 1;
            }
            Message::Finished => self.running -= 1,
        }
        // Threads that have ended report no further seconds, so a second is complete when all
        // running threads have reported it.
        while let Some(entry) = self.open.first_entry() {
            if entry.get().said < self.running {
                break;
            }
            let (number, open) = entry.remove_entry();
            self.close(number, &open, watch);
        }
        Ok(())
    }

    fn close(&mut self, number: u64, open: &Open, watch: &mut dyn FnMut(&Second)) {
        let begin = self.span.begin_of_second(number);
        let mut second = open.record.second(&self.span, begin, open.end);
        // A server that has ended has no memory.
        let readings = self.meters.iter().filter_map(|meter| meter.read().ok());
        second.resident_bytes = readings.map(|it| it.resident_bytes).sum();
        self.total.merge(&open.record);
        watch(&second);
        if open.end > self.span.begin {
            self.seconds.push(second);
        }
    }

    fn driven(
        self,
        kinds: &'static [&'static str],
        finished: Vec<Finished>,
    ) -> Result<Driven, DriveError> {
        let after = read(self.meters)?;
        let before = if self.seconds.is_empty() {
            &after
        } else {
            &self.before
        };
        let servers = after.iter().zip(before);
        let servers = servers.map(|(after, before)| after.since(before)).collect();
        let ends = finished.iter();
        let ends = ends.map(|it| it.last_end.max(it.lasted_until));
        let end = ends.max().unwrap_or_default();
        Ok(Driven {
            kinds,
            record: self.total,
            seconds: self.seconds,
            elapsed: Duration::from_nanos(end.saturating_sub(self.span.begin)),
            cpu: Duration::from_nanos(finished.iter().map(|it| it.cpu).sum()),
            servers,
            loads: finished.into_iter().map(|it| it.load).collect(),
        })
    }
}

fn read(meters: &[ProcessMeter]) -> Result<Vec<ProcessReading>, DriveError> {
    let read = |meter: &ProcessMeter| {
        meter.read().map_err(|error| DriveError::Process {
            pid: meter.pid(),
            error,
        })
    };
    meters.iter().map(read).collect()
}
