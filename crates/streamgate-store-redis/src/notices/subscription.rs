//! A subscription connection: the connection to one primary that subscribes to channels. Its
//! supervisor connects again when it breaks.
//!
//! It leads where the calls go: the connections of the pool know the primary, through sentinels or
//! a map of slots, and this one follows them. Confirmations and messages arrive in the order in
//! which the server sent them and go into the queue in that order. An answer is never matched to
//! the request that it is of, because a cluster also ends subscriptions by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{PushInfo, PushKind, Value};
use streamgate_store::Notice;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Context;
use super::audience::ANNOUNCED_EVERY_MS;
use super::channels::{Channels, Confirmation, Requests};
use super::message::Message;
use crate::connection::{Backoff, ConnectionPool, query};
use crate::reason::Reason;
use crate::url::Address;

/// The pause between two checks of a connection.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How long to wait before a server that forbids channels is asked again.
const FORBIDDEN_FOR: Duration = Duration::from_secs(5);

/// How many channels are asked for in one message.
const REQUESTS_AT_ONCE: usize = 512;

/// Failed attempts in a row after which a loss is logged: the first attempt mends most breaks.
const LOGGED_FROM: u32 = 3;

/// Which connection of a node: that to this primary; `None` where there is one for all.
pub(super) type SubscriptionConnectionId = Option<Address>;

/// A subscription connection, and the task of its supervisor.
#[derive(Debug)]
pub(super) struct SubscriptionConnection {
    ends: Arc<Ends>,
    task: JoinHandle<()>,
}

/// What a connection, its supervisor and its owner share.
#[derive(Debug, Default)]
struct Ends {
    channels: Channels,
    is_up: AtomicBool,
    broken: Notify,
}

impl SubscriptionConnection {
    /// Begins to connect. `probe` is a channel of that primary which no user has.
    pub(super) fn start(context: &Arc<Context>, pool: Arc<ConnectionPool>, probe: Vec<u8>) -> Self {
        let ends = Arc::<Ends>::default();
        let supervisor = SubscriptionSupervisor {
            context: Arc::clone(context),
            ends: Arc::clone(&ends),
            pool,
            probe,
            knows_shards: true,
        };
        Self {
            ends,
            task: tokio::spawn(supervisor.run()),
        }
    }

    pub(super) fn channels(&self) -> &Channels {
        &self.ends.channels
    }

    pub(super) fn is_up(&self) -> bool {
        self.ends.is_up.load(Ordering::Relaxed)
    }
}

impl Drop for SubscriptionConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ends {
    /// Takes what the server sent by itself. Called by the task of this connection.
    fn pushed(&self, context: &Context, connection: u64, info: &PushInfo) {
        if !self.channels.is_current(connection) {
            return;
        }
        let channel = match info.data.first() {
            Some(Value::BulkString(channel)) => channel.as_slice(),
            _ => &[],
        };
        match (&info.kind, info.data.get(1)) {
            (PushKind::Message | PushKind::SMessage, Some(Value::BulkString(payload))) => {
                context.heard(channel, payload);
            }
            (PushKind::Subscribe | PushKind::SSubscribe, _) => {
                let confirmed = self.channels.confirmed(connection, channel);
                confirm(context, confirmed, channel);
            }
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, _)
                if self.channels.ended(connection, channel) =>
            {
                context.topology.suspect();
                self.channels.changed.notify_one();
            }
            (PushKind::Disconnection, _) => self.broken.notify_one(),
            _ => {}
        }
    }
}

/// Tells from when on notices of a channel are complete.
fn confirm(context: &Context, confirmed: Confirmation, channel: &[u8]) {
    if confirmed == Confirmation::Nothing {
        return;
    }
    let again = confirmed == Confirmation::Again;
    let since = match context.names.user(channel) {
        Some(key) => Some(Notice::UserSince(key)),
        None => {
            let tenant = context.names.tenant_of(channel);
            tenant.map(|tenant| Notice::TenantSince { tenant, again })
        }
    };
    if let Some(since) = since {
        context
            .resubscribed
            .fetch_add(u64::from(again), Ordering::Relaxed);
        context.queue.put(since);
    }
}

/// Connects, subscribes, and connects again after a failure.
struct SubscriptionSupervisor {
    context: Arc<Context>,
    ends: Arc<Ends>,
    pool: Arc<ConnectionPool>,
    probe: Vec<u8>,
    /// Whether the server knows sharded channels.
    knows_shards: bool,
}

impl SubscriptionSupervisor {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        let mut failed = 0;
        loop {
            let why = match self.connect().await {
                Ok((connection, address)) => {
                    if failed >= LOGGED_FROM {
                        tracing::info!("notices of other nodes arrive again");
                    }
                    failed = 0;
                    self.ends.is_up.store(true, Ordering::Relaxed);
                    let why = self.serve(connection, &address).await;
                    self.ends.is_up.store(false, Ordering::Relaxed);
                    backoff.reset();
                    why
                }
                Err(why) => why,
            };
            failed += 1;
            self.context.topology.suspect();
            let pause = if why.is_forbidden() {
                FORBIDDEN_FOR
            } else {
                backoff.wait()
            };
            if failed == LOGGED_FROM || failed == 1 && why.is_forbidden() {
                failed = LOGGED_FROM;
                log_loss(&why);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Connects to the server that calls go to, and finds out what it lets this node do.
    async fn connect(&mut self) -> Result<(MultiplexedConnection, Address), Reason> {
        let address = self.pool.first().live().await?.address;
        let number = self.ends.channels.begin_anew();
        // What is left of the connection before.
        let _ = self.ends.broken.notified().now_or_never();
        let (context, ends) = (Arc::clone(&self.context), Arc::clone(&self.ends));
        let pushed = move |info: PushInfo| {
            ends.pushed(&context, number, &info);
            Ok::<(), ()>(())
        };
        let connecting = self.context.connector.connect_hearing(&address, pushed);
        let mut connection = connecting.await?;
        let greeted = self.greet(&mut connection).await;
        let may_publish = !greeted.as_ref().is_err_and(Reason::is_forbidden);
        self.context
            .may_publish
            .store(may_publish, Ordering::Relaxed);
        greeted.map_err(|why| why.at(&address))?;
        Ok((connection, address))
    }

    /// Tries what the subscriptions and the commits of this node need.
    async fn greet(&mut self, connection: &mut MultiplexedConnection) -> Result<(), Reason> {
        let time = self.context.response_timeout;
        let nodes = self.context.names.nodes_channel();
        let command = |name: &str, arguments: &[&[u8]]| {
            let mut command = redis::cmd(name);
            command.arg(arguments);
            command
        };
        let trial = command("SPUBLISH", &[&self.probe, b""]);
        self.knows_shards = match query::<Value>(connection, &trial, time).await {
            Ok(_) => true,
            Err(why) if why.is_unknown_command() => false,
            Err(why) => return Err(why),
        };
        let subscribe = if self.knows_shards {
            "SSUBSCRIBE"
        } else {
            "SUBSCRIBE"
        };
        let who_listens = Message::WhoListens.by(self.context.node);
        for (name, arguments) in [
            (subscribe, &[self.probe.as_slice()][..]),
            ("SUBSCRIBE", &[&nodes]),
            ("PUBLISH", &[&nodes, &who_listens]),
        ] {
            query::<Value>(connection, &command(name, arguments), time).await?;
        }
        self.context.announce.notify_one();
        Ok(())
    }

    /// Keeps the connection subscribed until it fails; returns why.
    async fn serve(&self, mut connection: MultiplexedConnection, address: &Address) -> Reason {
        let mut checks = tokio::time::interval(CHECK_EVERY);
        let every_ms = Duration::from_millis(ANNOUNCED_EVERY_MS);
        let mut announcements = tokio::time::interval(every_ms);
        loop {
            let requested = self.send_changes(&mut connection).await;
            let done = match requested {
                Err(why) => Err(why),
                Ok(()) => tokio::select! {
                    () = self.ends.channels.changed.notified() => Ok(()),
                    () = self.ends.broken.notified() => {
                        Err(Reason::transient("the connection broke"))
                    }
                    () = self.pool.first().leads_elsewhere(address) => {
                        Err(Reason::transient("another server is the primary now"))
                    }
                    () = self.context.announce.notified() => self.announce(&mut connection).await,
                    _ = announcements.tick() => self.announce(&mut connection).await,
                    _ = checks.tick() => self.check(&mut connection).await,
                },
            };
            if let Err(why) = done {
                return why.at(address);
            }
        }
    }

    async fn send_changes(&self, connection: &mut MultiplexedConnection) -> Result<(), Reason> {
        loop {
            let requests = self.ends.channels.take_changes(REQUESTS_AT_ONCE);
            if requests.is_empty() {
                return Ok(());
            }
            self.send(connection, requests).await?;
        }
    }

    /// Asks for channels, each by a command of its own: in a cluster a command may name channels of
    /// one slot only.
    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        requests: Requests,
    ) -> Result<(), Reason> {
        let Requests { subscribe, leave } = requests;
        let mut message = redis::pipe();
        for (names, plain, sharded) in [
            (leave, "UNSUBSCRIBE", "SUNSUBSCRIBE"),
            (subscribe, "SUBSCRIBE", "SSUBSCRIBE"),
        ] {
            for (name, is_sharded) in names {
                let command = if is_sharded && self.knows_shards {
                    sharded
                } else {
                    plain
                };
                message.cmd(command).arg(name);
            }
        }
        let count = message.len();
        let answers = connection.req_packed_commands(&message, 0, count).await;
        let answers = answers.map_err(|error| Reason::of(&error))?;
        let mut refused = answers
            .into_iter()
            .filter_map(|it| it.extract_error().err());
        if let Some(error) = refused.next() {
            let why = Reason::of(&error);
            if why.is_forbidden() {
                return Err(why);
            }
            // Such as a slot that has moved: what is not confirmed is asked for again.
            tracing::debug!(reason = %why, "a server did not take a subscription");
            self.context.topology.suspect();
        }
        Ok(())
    }

    async fn check(&self, connection: &mut MultiplexedConnection) -> Result<(), Reason> {
        let time = self.context.response_timeout;
        query::<Value>(connection, &redis::cmd("PING"), time).await?;
        let is_late = self.ends.channels.ask_again();
        self.ends.is_up.store(!is_late, Ordering::Relaxed);
        if is_late {
            self.context.topology.suspect();
        }
        Ok(())
    }

    /// Tells other nodes who listens here, and how this node is.
    async fn announce(&self, connection: &mut MultiplexedConnection) -> Result<(), Reason> {
        let watched = self.context.local_interest.lock().all();
        let introduction = self.context.introduction.lock().clone();
        let introduction = introduction.as_deref().map(Message::Introduces);
        let listens = watched.into_iter().map(Message::Listens);
        let messages: Vec<Message<'_>> = introduction.into_iter().chain(listens).collect();
        if messages.is_empty() {
            return Ok(());
        }
        let nodes = self.context.names.nodes_channel();
        let mut message = redis::pipe();
        for announced in messages {
            let announced = announced.by(self.context.node);
            message.cmd("PUBLISH").arg(&nodes).arg(announced);
        }
        let count = message.len();
        let answers = connection.req_packed_commands(&message, 0, count).await;
        answers.map(drop).map_err(|error| Reason::of(&error))
    }
}

fn log_loss(why: &Reason) {
    if why.is_forbidden() {
        tracing::warn!(
            reason = %why,
            "the store's servers forbid notices between nodes: event streams hear of other nodes \
             late; allow the user its channels and the commands for them (docs/scaling.md)"
        );
    } else {
        tracing::warn!(
            reason = %why,
            "notices of other nodes do not arrive: event streams hear of them once the store is \
             back"
        );
    }
}
