//! A connection that keeps itself alive: made anew when it breaks, looked at every second.
//!
//! Calls never wait in line for a server that is away. They wait for the first attempt to connect
//! anew, so that a short break goes unnoticed, and are refused at once after it has failed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backoff::Backoff;
use crate::call::{Call, Reply};
use crate::failure::{self, Failure};
use crate::reason::Reason;
use crate::topology::Target;
use crate::url::Address;

/// How often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A connection in use.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) connection: MultiplexedConnection,
    /// Whose it is.
    pub(crate) address: Address,
    /// Tells it from the ones before.
    number: u64,
    /// Whether it has carried an answer, so that it is worth being made anew at once.
    has_served: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
enum State {
    /// The first attempt after a break is under way.
    Connecting,
    Up(Line),
    /// It failed, and why; further attempts are under way.
    Down(Reason),
}

/// Keeps one connection to a target.
#[derive(Debug)]
pub(crate) struct Link {
    state: watch::Receiver<State>,
    /// The number of the last connection that was found broken.
    broken: Arc<watch::Sender<u64>>,
    keeper: JoinHandle<()>,
}

impl Link {
    /// Begins to connect.
    pub(crate) fn start(target: Arc<Target>) -> Self {
        let (tell, state) = watch::channel(State::Connecting);
        let broken = Arc::new(watch::Sender::new(0));
        let reports = broken.subscribe();
        let keeper = Keeper {
            target,
            tell,
            reports,
        };
        Self {
            state,
            broken,
            keeper: tokio::spawn(keeper.run()),
        }
    }

    /// The connection.
    pub(crate) async fn line(&self) -> Result<Line, Reason> {
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| match state {
            State::Connecting => false,
            // One that was found broken is as good as gone, even if nobody has taken it away yet.
            State::Up(line) => line.number > *self.broken.borrow(),
            State::Down(_) => true,
        });
        match decided.await.as_deref() {
            Ok(State::Up(line)) => Ok(line.clone()),
            Ok(State::Down(why)) => Err(why.clone()),
            Ok(State::Connecting) => unreachable!("waited for another state"),
            Err(_) => Err(Reason::passing("the store is being closed")),
        }
    }

    /// The connection, if there is one right now.
    pub(crate) fn line_now(&self) -> Option<Line> {
        match &*self.state.borrow() {
            State::Up(line) => Some(line.clone()),
            State::Connecting | State::Down(_) => None,
        }
    }

    /// Sends a call. `sent` is told before anything leaves, for callers that stop waiting.
    pub(crate) async fn send(
        &self,
        call: &Call<'_>,
        asking: bool,
        sent: impl FnOnce(),
    ) -> Result<Reply, Failure> {
        let mut line = self.line().await.map_err(Failure::Refused)?;
        sent();
        let error = match call.send(&mut line.connection, asking).await {
            Ok(reply) => {
                line.has_served.store(true, Ordering::Relaxed);
                return Ok(reply);
            }
            Err(error) => error,
        };
        self.report(&line, &error);
        Err(failure::read(&error, &line.address))
    }

    /// Notes what an error says about the connection it came from.
    pub(crate) fn report(&self, line: &Line, error: &redis::RedisError) {
        if error.is_unrecoverable_error() || failure::is_demoted(error) {
            self.broken.send_if_modified(|number| {
                let is_news = line.number > *number;
                *number = line.number.max(*number);
                is_news
            });
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// The task behind a link.
struct Keeper {
    target: Arc<Target>,
    tell: watch::Sender<State>,
    reports: watch::Receiver<u64>,
}

impl Keeper {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        for number in 1.. {
            let why = match self.target.connect().await {
                Err(why) => why,
                Ok((connection, address)) => {
                    let line = Line {
                        connection,
                        address,
                        number,
                        has_served: Arc::default(),
                    };
                    self.tell.send_replace(State::Up(line.clone()));
                    let why = self.look_after(&line).await;
                    if line.has_served.load(Ordering::Relaxed) {
                        // Most breaks are mended by the first attempt: calls wait for it.
                        backoff.reset();
                        self.tell.send_replace(State::Connecting);
                        continue;
                    }
                    why
                }
            };
            self.tell.send_replace(State::Down(why));
            tokio::time::sleep(backoff.wait()).await;
        }
    }

    /// Returns why the connection is no longer good, as soon as that is so.
    async fn look_after(&mut self, line: &Line) -> Reason {
        let mut connection = line.connection.clone();
        loop {
            let look = look(&self.target, &mut connection, &line.address);
            let looked = tokio::select! {
                biased;
                broken = self.reports.wait_for(|number| *number >= line.number) => match broken {
                    Ok(_) => Err(Reason::passing("the connection broke")),
                    Err(_) => Err(Reason::passing("the store is being closed")),
                },
                looked = look => looked,
            };
            match looked {
                Ok(()) => line.has_served.store(true, Ordering::Relaxed),
                Err(why) => return why.at(&line.address),
            }
        }
    }
}

/// Waits a while and then asks the server whether all is well.
async fn look(
    target: &Target,
    connection: &mut MultiplexedConnection,
    address: &Address,
) -> Result<(), Reason> {
    tokio::time::sleep(LOOK_EVERY).await;
    target.check(connection, address).await
}

/// Gives up after a time, and says so.
pub(crate) async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Reason>>,
) -> Result<T, Reason> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done,
        Err(_) => Err(too_late(time)),
    }
}

/// There was no answer in this time.
pub(crate) fn too_late(time: Duration) -> Reason {
    Reason::passing(format!("no answer within {} ms", time.as_millis()))
}
