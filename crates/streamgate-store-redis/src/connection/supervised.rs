//! One connection under supervision: reconnected when it breaks, checked every second.
//!
//! A call waits for the first attempt to reconnect, so that a short break goes unnoticed. After
//! that attempt has failed, calls are refused at once until a later one succeeds; they never queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::backoff::Backoff;
use super::target::Target;
use crate::call::{Call, Reply};
use crate::failure::{self, Failure};
use crate::reason::Reason;
use crate::url::Address;

/// The pause between two checks of a connection.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A connection that was up when it was borrowed.
#[derive(Debug, Clone)]
pub(crate) struct LiveConnection {
    pub(crate) connection: MultiplexedConnection,
    /// The server it leads to.
    pub(crate) address: Address,
    /// Counts the connections of one supervisor, from 1.
    number: u64,
    /// Whether it has carried an answer: only such a connection is remade without a backoff.
    has_served: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
enum State {
    /// The first attempt after a break is under way.
    Connecting,
    Up(LiveConnection),
    /// It failed, and why; further attempts are under way.
    Down(Reason),
}

/// A connection to a target, with the task that supervises it.
#[derive(Debug)]
pub(crate) struct SupervisedConnection {
    state: watch::Receiver<State>,
    /// The number of the last connection reported as broken.
    broken: Arc<watch::Sender<u64>>,
    supervisor: JoinHandle<()>,
}

impl SupervisedConnection {
    /// Begins to connect.
    pub(crate) fn start(target: Target) -> Self {
        let (tell, state) = watch::channel(State::Connecting);
        let broken = Arc::new(watch::Sender::new(0));
        let reports = broken.subscribe();
        let supervisor = Supervisor {
            target,
            tell,
            reports,
        };
        Self {
            state,
            broken,
            supervisor: tokio::spawn(supervisor.run()),
        }
    }

    /// The connection, once the attempt under way is over.
    ///
    /// # Errors
    /// Why it is down.
    pub(crate) async fn live(&self) -> Result<LiveConnection, Reason> {
        let mut state = self.state.clone();
        let decided = state.wait_for(|state| match state {
            State::Connecting => false,
            // One that was reported as broken is gone, although its supervisor has not seen it yet.
            State::Up(live) => live.number > *self.broken.borrow(),
            State::Down(_) => true,
        });
        match decided.await.as_deref() {
            Ok(State::Up(live)) => Ok(live.clone()),
            Ok(State::Down(why)) => Err(why.clone()),
            Ok(State::Connecting) => unreachable!("waited for another state"),
            Err(_) => Err(Reason::transient("the store is being closed")),
        }
    }

    /// The connection, if it is up right now.
    pub(crate) fn live_now(&self) -> Option<LiveConnection> {
        match &*self.state.borrow() {
            State::Up(live) => Some(live.clone()),
            State::Connecting | State::Down(_) => None,
        }
    }

    /// Waits until it leads to another server than this one.
    pub(crate) async fn leads_elsewhere(&self, address: &Address) {
        let mut state = self.state.clone();
        let elsewhere = state.wait_for(|state| match state {
            State::Up(live) => live.address != *address,
            State::Connecting | State::Down(_) => false,
        });
        if elsewhere.await.is_err() {
            // The supervisor is gone, and with it the store.
            std::future::pending::<()>().await;
        }
    }

    /// Sends a call. `sent` runs before the first byte leaves, so that a caller that stops waiting
    /// knows that the call may have been done.
    pub(crate) async fn send(
        &self,
        call: &Call<'_>,
        asking: bool,
        sent: impl FnOnce(),
    ) -> Result<Reply, Failure> {
        let mut live = self.live().await.map_err(Failure::Refused)?;
        sent();
        let error = match call.send(&mut live.connection, asking).await {
            Ok(reply) => {
                live.has_served.store(true, Ordering::Relaxed);
                return Ok(reply);
            }
            Err(error) => error,
        };
        self.report(&live, &error);
        Err(failure::read(&error, &live.address))
    }

    /// Marks the connection that an error came from as broken, if the error says so.
    pub(crate) fn report(&self, live: &LiveConnection, error: &redis::RedisError) {
        if error.is_unrecoverable_error() || failure::is_demoted(error) {
            self.broken.send_if_modified(|number| {
                let is_news = live.number > *number;
                *number = live.number.max(*number);
                is_news
            });
        }
    }
}

impl Drop for SupervisedConnection {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// The task that makes and checks the connection.
struct Supervisor {
    target: Target,
    tell: watch::Sender<State>,
    reports: watch::Receiver<u64>,
}

impl Supervisor {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        for number in 1.. {
            let why = match self.target.connect().await {
                Err(why) => why,
                Ok((connection, address)) => {
                    let live = LiveConnection {
                        connection,
                        address,
                        number,
                        has_served: Arc::default(),
                    };
                    self.tell.send_replace(State::Up(live.clone()));
                    let why = self.watch(&live).await;
                    if live.has_served.load(Ordering::Relaxed) {
                        // The first attempt mends most breaks: calls wait for it.
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

    /// Checks the connection until it fails; returns why.
    async fn watch(&mut self, live: &LiveConnection) -> Reason {
        let mut connection = live.connection.clone();
        loop {
            let check = check(&self.target, &mut connection, &live.address);
            let checked = tokio::select! {
                biased;
                broken = self.reports.wait_for(|number| *number >= live.number) => match broken {
                    Ok(_) => Err(Reason::transient("the connection broke")),
                    Err(_) => Err(Reason::transient("the store is being closed")),
                },
                checked = check => checked,
            };
            match checked {
                Ok(()) => live.has_served.store(true, Ordering::Relaxed),
                Err(why) => return why.at(&live.address),
            }
        }
    }
}

/// Waits for the pause between checks, then checks.
async fn check(
    target: &Target,
    connection: &mut MultiplexedConnection,
    address: &Address,
) -> Result<(), Reason> {
    tokio::time::sleep(CHECK_EVERY).await;
    target.check(connection, address).await
}
