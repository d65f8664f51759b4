//! Notices: what other nodes of a store commit, told to this node by the store's server (publish
//! and subscribe). A stream of events needs them; no decision does.
//!
//! What is *not* here: what the bytes mean, and who listens. A store without notices has none, and
//! its records are read again from time to time.

use std::fmt;
use std::time::Duration;

use streamgate_core::{TenantId, UserKey};

use crate::port::BoxFuture;

/// The audience of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those who watch the user.
    User,
    /// Those who watch the user's tenant. Who watches both is told twice.
    Tenant,
}

/// What a node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Another node committed this change of a user.
    Committed {
        /// Its audience.
        scope: Scope,
        /// The user.
        key: UserKey,
        /// The change, for `streamgate_core::codec::decode_notice`.
        change: Vec<u8>,
    },
    /// Another node said this of a user ([`Notices::tell`]). Nothing was committed.
    Told {
        /// Its audience.
        scope: Scope,
        /// The user.
        key: UserKey,
        /// What it said.
        message: Vec<u8>,
    },
    /// From here on each change of this user is told, until this comes again. Earlier ones may have
    /// been missed: its record tells.
    UserSince(UserKey),
    /// From here on changes of users of this tenant are told, until this comes again.
    TenantSince {
        /// The tenant.
        tenant: TenantId,
        /// Whether they were told before, so that some may have been missed in between.
        again: bool,
    },
    /// Number of notices dropped, because they were not taken in time. They may have been about any
    /// user or tenant that is watched.
    Dropped(u64),
}

/// How notices go, for metrics. Counted since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoticeCounts {
    /// Commits of this node that were published.
    pub published: u64,
    /// Notices of other nodes that arrived.
    pub received: u64,
    /// Notices that arrived and were dropped, because they were not taken in time.
    pub dropped: u64,
    /// Messages of this node ([`Notices::tell`]) that were not sent: too many, or no server.
    pub untold: u64,
    /// How often a subscription was made anew, so that records had to be read.
    pub resubscribed: u64,
    /// Connections that are subscribed now.
    pub connections_up: u64,
    /// Connections that are to be, and are not.
    pub connections_down: u64,
}

/// Another node, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What it says ([`Notices::introduce`]).
    pub about: Vec<u8>,
    /// How long ago it said so last.
    pub ago: Duration,
}

/// Tells a node what other nodes commit.
///
/// # Contract
///
/// **Hints.** The record is the truth. A notice may come late, after the record has changed again,
/// and not at all. It is told where that may have happened: [`Notice::UserSince`] comes once a
/// watch begins, and again whenever changes may have been missed; [`Notice::Dropped`] likewise for
/// all.
///
/// **Complete.** Between a [`Notice::UserSince`] and the next one, each change of that user which
/// another node committed with a delta comes once, in the order of the commits, also if that node
/// died before it answered. What the servers lose in a failover is not told.
///
/// **Of others.** What this node commits does not come back to it.
///
/// **Tenants.** The same about all users of a tenant, but best effort: what is committed at the
/// moment when a watch begins may not be told.
///
/// **Bounded.** No call of the trait waits, or takes memory without a bound. No commit waits for a
/// notice, or fails because of one.
pub trait Notices: fmt::Debug + Send + Sync + 'static {
    /// Begins to watch a user. Once is enough, however many listen.
    fn watch(&self, key: &UserKey);

    /// Ends it. A notice that has arrived may still come.
    fn unwatch(&self, key: &UserKey);

    /// Begins to watch the users of a tenant.
    fn watch_tenant(&self, tenant: &TenantId);

    /// Ends it.
    fn unwatch_tenant(&self, tenant: &TenantId);

    /// Tells other nodes something of a user that is no change. Best effort: `message` is made only
    /// if somebody seems to watch there.
    fn tell(&self, key: &UserKey, message: &dyn Fn() -> Vec<u8>);

    /// Tells other nodes this of this node, from here on: every few seconds, and when one asks. At
    /// most [`INTRODUCTION_MAX_BYTES`](streamgate_core::bounds::INTRODUCTION_MAX_BYTES); best
    /// effort.
    fn introduce(&self, about: Vec<u8>);

    /// The other nodes that introduced themselves within the last ten minutes, in no order; a
    /// bounded number of them.
    fn peers(&self) -> Vec<Peer>;

    /// The next notice, for one reader. It may be dropped and called again.
    fn next(&self) -> BoxFuture<'_, Notice>;

    /// Whether notices of all that is watched arrive now, as far as this node knows. If not,
    /// records have to be read from time to time.
    fn is_up(&self) -> bool;

    /// Counts since the start.
    fn counts(&self) -> NoticeCounts;
}
