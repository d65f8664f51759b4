//! Notices between nodes, by publish and subscribe.
//!
//! The commit script publishes the notice of a change on the channel of its user, which has the name
//! of the record: so a notice exists exactly where the change does, and a cluster serves it where
//! the record is. A node subscribes to the channels of the users that somebody listens to there, on
//! connections of their own ([`subscription`]); in a cluster each channel is on the connection to the
//! primary that has its slot ([`router`]). Servers that know sharded channels (`SPUBLISH`, from Redis 7)
//! use them.
//!
//! Changes of a whole tenant go to a channel of the tenant, in the same script, while somebody
//! listens to that anywhere ([`audience`]). All other messages are best effort ([`teller`]).
//!
//! What is *not* here: what notices mean.

mod audience;
mod channels;
mod known_nodes;
mod local_interest;
mod message;
mod notice_queue;
mod router;
mod subscription;
mod teller;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_core::bounds::INTRODUCTION_MAX_BYTES;
use streamgate_core::{TenantId, UserKey};
use streamgate_store::{BoxFuture, Notice, NoticeCounts, Notices, Peer, Scope};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::connection::Connector;
use crate::keys::Names;
use crate::topology::Topology;

use audience::Audience;
use known_nodes::KnownNodes;
use local_interest::LocalInterest;
use message::{Message, NodeId};
use notice_queue::NoticeQueue;
use router::Router;
use teller::{Teller, Telling};

/// What all parts of the notices of a node share.
struct Context {
    node: NodeId,
    names: Names,
    topology: Arc<Topology>,
    connector: Connector,
    response_timeout: Duration,
    queue: NoticeQueue,
    audience: Audience,
    local_interest: Mutex<LocalInterest>,
    known_nodes: KnownNodes,
    /// What this node says of itself.
    introduction: Mutex<Option<Vec<u8>>>,
    /// Other nodes are to hear soon what is watched here.
    announce: Notify,
    /// Whether the servers let this node publish, as far as it knows.
    may_publish: AtomicBool,
    published: AtomicU64,
    resubscribed: AtomicU64,
    untold: AtomicU64,
}

impl Context {
    /// Takes what a server sent on a channel.
    fn heard(&self, channel: &[u8], payload: &[u8]) {
        if channel == self.names.nodes_channel() {
            self.heard_of_node(payload);
        } else if let Some(key) = self.names.user(channel) {
            self.heard_of_user(Scope::User, key, payload);
        } else if let Some((name, payload)) = message::split_name(payload)
            && let Some(key) = self.names.user(name)
        {
            self.heard_of_user(Scope::Tenant, key, payload);
        }
    }

    fn heard_of_user(&self, scope: Scope, key: UserKey, payload: &[u8]) {
        let notice = match message::read(payload) {
            Some((node, _)) if node == self.node => return,
            Some((_, Message::Committed(change))) => Notice::Committed {
                scope,
                key,
                change: change.to_vec(),
            },
            Some((_, Message::Told(message))) => Notice::Told {
                scope,
                key,
                message: message.to_vec(),
            },
            _ => return,
        };
        self.queue.received(notice);
    }

    fn heard_of_node(&self, payload: &[u8]) {
        match message::read(payload) {
            Some((node, _)) if node == self.node => {}
            Some((_, Message::Listens(tenant))) => self.audience.listens(tenant),
            Some((_, Message::WhoListens)) => self.announce.notify_one(),
            Some((node, Message::Introduces(about))) => self.known_nodes.introduced(node, about),
            _ => {}
        }
    }
}

/// The message of a commit, for the script.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) message: Vec<u8>,
    /// The channel of the tenant, if somebody listens to it.
    pub(crate) tenant_channel: Option<Vec<u8>>,
}

/// The notices of a node.
pub(crate) struct RedisNotices {
    context: Arc<Context>,
    router: Arc<Router>,
    teller: Teller,
    routing: JoinHandle<()>,
}

impl RedisNotices {
    /// Begins to connect.
    pub(crate) fn start(topology: &Arc<Topology>, connector: Connector, names: &Names) -> Self {
        let context = Arc::new(Context {
            node: NodeId::fresh(),
            names: names.clone(),
            topology: Arc::clone(topology),
            response_timeout: connector.response_timeout,
            connector,
            queue: NoticeQueue::default(),
            audience: Audience::default(),
            local_interest: Mutex::default(),
            known_nodes: KnownNodes::default(),
            introduction: Mutex::default(),
            announce: Notify::new(),
            may_publish: AtomicBool::new(true),
            published: AtomicU64::new(0),
            resubscribed: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        });
        let router = Arc::new(Router::new(Arc::clone(&context)));
        Self {
            routing: tokio::spawn(router::follow(Arc::clone(&router))),
            teller: Teller::start(&context),
            router,
            context,
        }
    }

    /// What a commit with this notice publishes; `None` if it publishes nothing.
    pub(crate) fn publication(&self, key: &UserKey, notice: &[u8]) -> Option<Publication> {
        if notice.is_empty() || !self.context.may_publish.load(Ordering::Relaxed) {
            return None;
        }
        let tenant = key.tenant();
        let is_listened_to = self.context.audience.listens_to_tenant(tenant);
        Some(Publication {
            message: Message::Committed(notice).by(self.context.node),
            tenant_channel: is_listened_to.then(|| self.context.names.tenant_channel(tenant)),
        })
    }

    /// A commit was made that published.
    pub(crate) fn published(&self) {
        self.context.published.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for RedisNotices {
    fn drop(&mut self) {
        self.routing.abort();
    }
}

impl Notices for RedisNotices {
    fn watch(&self, key: &UserKey) {
        if self.context.local_interest.lock().begin_user() {
            self.context.announce.notify_one();
        }
        self.router.want(&self.context.names.record(key), true);
    }

    fn unwatch(&self, key: &UserKey) {
        self.context.local_interest.lock().end_user();
        self.router.unwant(&self.context.names.record(key));
    }

    fn watch_tenant(&self, tenant: &TenantId) {
        self.context.local_interest.lock().begin_tenant(tenant);
        self.context.announce.notify_one();
        let channel = self.context.names.tenant_channel(tenant.as_str());
        self.router.want(&channel, false);
    }

    fn unwatch_tenant(&self, tenant: &TenantId) {
        self.context.local_interest.lock().end_tenant(tenant);
        let channel = self.context.names.tenant_channel(tenant.as_str());
        self.router.unwant(&channel);
    }

    fn tell(&self, key: &UserKey, message: &dyn Fn() -> Vec<u8>) {
        let Context {
            node,
            names,
            audience,
            may_publish,
            ..
        } = &*self.context;
        let to_tenant = audience.listens_to_tenant(key.tenant());
        if !may_publish.load(Ordering::Relaxed) || !(to_tenant || audience.listens_to_users()) {
            return;
        }
        self.teller.tell(Telling {
            channel: names.record(key),
            message: Message::Told(&message()).by(*node),
            tenant_channel: to_tenant.then(|| names.tenant_channel(key.tenant())),
        });
    }

    fn introduce(&self, about: Vec<u8>) {
        if about.len() <= INTRODUCTION_MAX_BYTES {
            *self.context.introduction.lock() = Some(about);
            self.context.announce.notify_one();
        }
    }

    fn peers(&self) -> Vec<Peer> {
        self.context.known_nodes.all()
    }

    fn next(&self) -> BoxFuture<'_, Notice> {
        Box::pin(self.context.queue.next())
    }

    fn is_up(&self) -> bool {
        let (up, down) = self.router.connections();
        up > 0 && down == 0
    }

    fn counts(&self) -> NoticeCounts {
        let (up, down) = self.router.connections();
        let Context {
            queue,
            published,
            resubscribed,
            untold,
            ..
        } = &*self.context;
        NoticeCounts {
            published: published.load(Ordering::Relaxed),
            received: queue.received_count(),
            dropped: queue.dropped_count(),
            untold: untold.load(Ordering::Relaxed),
            resubscribed: resubscribed.load(Ordering::Relaxed),
            connections_up: up,
            connections_down: down,
        }
    }
}

impl fmt::Debug for RedisNotices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisNotices")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
