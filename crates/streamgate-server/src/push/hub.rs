//! The hub: the subscriptions to users and tenants, in-process publish/subscribe.
//!
//! Without a subscription a commit costs the load of one atomic number. With some, it takes the
//! lock of one shard of users, and puts a reference into each queue of the user.
//!
//! **No gap at the beginning.** A stream subscribes first and reads the record then. A commit that
//! the hub heard of before the subscription is in the record; any later one is delivered. So the
//! state may already hold what the first events say.
//!
//! **Other nodes.** What they commit comes by [`Hub::remote`]. Where notices may have been lost,
//! [`Hub::recheck`] has the streams read their records again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use streamgate_core::admission::Refused;
use streamgate_core::bounds::STREAM_CHECKS_AT_ONCE_MAX;
use streamgate_core::{Event, TenantId, UserKey};
use streamgate_store::{Notices, Peer, Scope};
use tokio::sync::Semaphore;

use super::queue::{EventQueue, Interest};
use super::subscription::{Key, Subscription};
use super::tenant::{Resume, TenantTopic};
use crate::metrics::{Metrics, PushMetrics};
use crate::problem::{ApiError, Code};
use crate::settings::{PushSettings, ServerSettings};

/// Locks that the users are spread over.
const SHARDS: usize = 64;

/// `Retry-After` of a stream too many, in seconds.
const RETRY_AFTER_S: u32 = 5;

pub(super) type Users = HashMap<UserKey, Vec<Arc<EventQueue>>>;

/// The subscriptions. One for the process: an observer of its engine.
#[derive(Debug)]
pub struct Hub {
    /// Users and tenants that have a subscription: 0 nearly always.
    pub(super) topics: AtomicUsize,
    users: [Mutex<Users>; SHARDS],
    hasher: RandomState,
    pub(super) tenants: RwLock<HashMap<Box<str>, Arc<Mutex<TenantTopic>>>>,
    /// Open streams.
    streams: AtomicUsize,
    settings: PushSettings,
    /// What the ids of events begin with: they are unique across restarts.
    process: u64,
    last_id: AtomicU64,
    is_closing: AtomicBool,
    /// Changes with the accepted keys.
    credentials: AtomicUsize,
    notices: OnceLock<Arc<dyn Notices>>,
    /// Permits to read a record again.
    checks: Semaphore,
    metrics: PushMetrics,
}

impl Hub {
    /// A hub without subscriptions.
    #[must_use]
    pub fn new(settings: &ServerSettings, metrics: &Metrics) -> Arc<Self> {
        let mut bounds = settings.push;
        // Streams leave connections for the other calls.
        let connections = settings.http.max_connections;
        bounds.max_streams = bounds.max_streams.min(connections - connections / 4);
        Arc::new(Self {
            topics: AtomicUsize::new(0),
            users: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            tenants: RwLock::default(),
            streams: AtomicUsize::new(0),
            settings: bounds,
            process: getrandom::u64().expect("the operating system has random bytes"),
            last_id: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
            credentials: AtomicUsize::new(0),
            notices: OnceLock::new(),
            checks: Semaphore::new(STREAM_CHECKS_AT_ONCE_MAX),
            metrics: metrics.push().clone(),
        })
    }

    /// Watches what others do by these notices, from here on. Once, before the first subscription.
    pub fn watch_by(&self, notices: Arc<dyn Notices>) {
        // A second time changes nothing.
        let _ = self.notices.set(notices);
    }

    /// Another node committed this change of a user.
    pub fn remote(&self, scope: Scope, user: &UserKey, events: &[Event]) {
        match scope {
            Scope::User => self.deliver_to_user(user, events),
            Scope::Tenant => self.deliver_to_tenant(user, events),
        }
    }

    /// Another node refused a start of a user.
    pub fn remote_refused(&self, scope: Scope, user: &UserKey, refused: &Refused) {
        match scope {
            Scope::User => self.deliver_refusal_to_user(user, refused),
            Scope::Tenant => self.deliver_refusal_to_tenant(user, refused),
        }
    }

    /// Changes of this user may have been missed: its streams read the record again.
    pub fn recheck(&self, user: &UserKey) {
        if let Some(queues) = self.shard(user).lock().get(user) {
            queues.iter().for_each(|queue| queue.mark_stale());
        }
    }

    /// Changes of any user may have been missed.
    pub fn recheck_all(&self) {
        for shard in &self.users {
            let users = shard.lock();
            users
                .values()
                .flatten()
                .for_each(|queue| queue.mark_stale());
        }
    }

    /// Changes of users of this tenant may have been missed, an unknown number.
    pub fn missed(&self, tenant: &TenantId) {
        if let Some(topic) = self.tenants.read().get(tenant.as_str()) {
            topic.lock().miss();
        }
    }

    /// The same of all tenants.
    pub fn missed_all(&self) {
        let tenants = self.tenants.read();
        tenants.values().for_each(|topic| topic.lock().miss());
    }

    /// Ends all streams with a `bye`, and begins no other: the process stops.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// Whether the process stops.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }

    /// The accepted keys have changed: streams look whether theirs is still one of them.
    pub(crate) fn credentials_changed(&self) {
        self.credentials.fetch_add(1, Ordering::SeqCst);
        self.wake_all();
    }

    /// Changes with the accepted keys.
    pub(crate) fn credentials(&self) -> usize {
        self.credentials.load(Ordering::SeqCst)
    }

    fn wake_all(&self) {
        for shard in &self.users {
            let users = shard.lock();
            users.values().flatten().for_each(|queue| queue.wake());
        }
        for topic in self.tenants.read().values() {
            topic.lock().queues.iter().for_each(|queue| queue.wake());
        }
    }

    /// The notices of other nodes, if the store has them.
    pub(super) fn notices(&self) -> Option<&Arc<dyn Notices>> {
        self.notices.get()
    }

    /// Whether notices of other nodes arrive now; `None` if the store has none.
    pub(crate) fn notices_are_up(&self) -> Option<bool> {
        self.notices.get().map(|notices| notices.is_up())
    }

    /// Permits to read a record again.
    pub(crate) fn checks(&self) -> &Semaphore {
        &self.checks
    }

    pub(crate) fn metrics(&self) -> &PushMetrics {
        &self.metrics
    }

    /// Tells other nodes this of this node, if the store has notices.
    pub(crate) fn introduce(&self, about: Vec<u8>) {
        if let Some(notices) = self.notices() {
            notices.introduce(about);
        }
    }

    /// The other nodes that were heard of lately; `None` if the store has no notices.
    pub(crate) fn peers(&self) -> Option<Vec<Peer>> {
        self.notices().map(|notices| notices.peers())
    }

    /// Names this process.
    pub(crate) fn node(&self) -> String {
        format!("{:016x}", self.process)
    }

    /// The id of an event of a user or a session: unique, and without an order.
    pub(crate) fn event_id(&self) -> (u64, u64) {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        (self.process, id)
    }

    /// Subscribes to a user, or to one session of it.
    ///
    /// # Errors
    /// 429 and 503: too many streams, or the process stops.
    pub(crate) fn listen(
        self: &Arc<Self>,
        user: &UserKey,
        interest: Interest,
    ) -> Result<Subscription, ApiError> {
        self.admit()?;
        let queue = Arc::new(EventQueue::new(interest));
        let mut users = self.shard(user).lock();
        let room = match users.entry(user.clone()) {
            Entry::Occupied(mut known) => {
                let has_room = known.get().len() < self.settings.max_streams_per_user;
                if has_room {
                    known.get_mut().push(Arc::clone(&queue));
                }
                has_room
            }
            Entry::Vacant(new) => {
                new.insert(vec![Arc::clone(&queue)]);
                self.topics.fetch_add(1, Ordering::SeqCst);
                if let Some(notices) = self.notices.get() {
                    notices.watch(user);
                }
                true
            }
        };
        drop(users);
        if !room {
            return Err(self.refuse(too_many("the user has too many event streams open")));
        }
        Ok(Subscription::new(self, Key::User(user.clone()), queue))
    }

    /// Subscribes to a tenant. Returns the buffer, the number that it goes on behind, and how many
    /// events are lost to it, if any are.
    pub(crate) fn listen_to_tenant(
        self: &Arc<Self>,
        tenant: &TenantId,
        from: Resume,
    ) -> Result<(Subscription, Joined), ApiError> {
        self.admit()?;
        let queue = Arc::new(EventQueue::new(Interest::Tenant));
        let mut tenants = self.tenants.write();
        let topic = tenants.entry(tenant.as_str().into()).or_insert_with(|| {
            self.topics.fetch_add(1, Ordering::SeqCst);
            if let Some(notices) = self.notices.get() {
                notices.watch_tenant(tenant);
            }
            let buffer = getrandom::u64().expect("the operating system has random bytes");
            Arc::new(Mutex::new(TenantTopic::new(buffer)))
        });
        let mut topic = topic.lock();
        if topic.queues.len() >= self.settings.max_streams_per_tenant {
            drop(topic);
            return Err(self.refuse(too_many("the tenant has too many event streams open")));
        }
        let (behind, missed) = topic.add(Arc::clone(&queue), from);
        let joined = Joined {
            buffer: topic.buffer,
            behind,
            missed,
        };
        drop(topic);
        drop(tenants);
        let key = Key::Tenant(tenant.clone());
        Ok((Subscription::new(self, key, queue), joined))
    }

    /// Counts a stream, if there is room for it.
    fn admit(&self) -> Result<(), ApiError> {
        if self.is_closing() {
            let detail = "the server is stopping; connect again";
            return Err(ApiError::retry_after(Code::Stopping, detail, 1));
        }
        if self.streams.fetch_add(1, Ordering::SeqCst) < self.settings.max_streams {
            return Ok(());
        }
        let detail = "the server has as many event streams open as push.max_streams allows";
        Err(self.refuse(ApiError::retry_after(
            Code::Overloaded,
            detail,
            RETRY_AFTER_S,
        )))
    }

    fn refuse(&self, error: ApiError) -> ApiError {
        self.streams.fetch_sub(1, Ordering::SeqCst);
        self.metrics.refused.inc();
        error
    }

    /// A subscription ends.
    pub(super) fn leave(&self, key: &Key, queue: &Arc<EventQueue>) {
        self.streams.fetch_sub(1, Ordering::SeqCst);
        match key {
            Key::User(user) => {
                let mut users = self.shard(user).lock();
                let Some(queues) = users.get_mut(user) else {
                    return;
                };
                queues.retain(|other| !Arc::ptr_eq(other, queue));
                if queues.is_empty() {
                    users.remove(user);
                    self.topics.fetch_sub(1, Ordering::SeqCst);
                    if let Some(notices) = self.notices.get() {
                        notices.unwatch(user);
                    }
                }
            }
            Key::Tenant(tenant) => {
                if let Some(topic) = self.tenants.read().get(tenant.as_str()) {
                    topic.lock().remove(queue);
                }
            }
        }
    }

    pub(super) fn shard(&self, user: &UserKey) -> &Mutex<Users> {
        let [place, ..] = self.hasher.hash_one(user.as_bytes()).to_le_bytes();
        &self.users[usize::from(place) % SHARDS]
    }

    pub(super) fn drop_abandoned(&self, tenant: &str) {
        let mut tenants = self.tenants.write();
        let is_abandoned = |topic: &Arc<Mutex<TenantTopic>>| topic.lock().is_abandoned();
        // A reader may have come back meanwhile.
        if tenants.get(tenant).is_some_and(is_abandoned) {
            tenants.remove(tenant);
            self.topics.fetch_sub(1, Ordering::SeqCst);
            if let (Some(notices), Ok(tenant)) = (self.notices.get(), TenantId::new(tenant)) {
                notices.unwatch_tenant(&tenant);
            }
        }
    }
}

/// Where a subscription to a tenant begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    /// The buffer.
    pub(crate) buffer: u64,
    /// The number that it goes on behind.
    pub(crate) behind: u64,
    /// How many events are lost to it, if any are: `Some(None)` for an unknown number.
    pub(crate) missed: Option<Option<u64>>,
}

fn too_many(detail: &'static str) -> ApiError {
    ApiError::retry_after(Code::TooManyRequests, detail, RETRY_AFTER_S)
}
