//! Every bound of Streamgate in one place, the unit last in the name.
//!
//! A bound that is not here does not exist: the API, the core and the stores all refer to this
//! file, and the relations between bounds are checked when it is compiled.

use std::ops::RangeInclusive;

/// Longest tenant id, in bytes.
pub const TENANT_ID_MAX_BYTES: usize = 64;
/// Longest user id, in bytes of UTF-8.
pub const USER_ID_MAX_BYTES: usize = 256;
/// Longest session id, in bytes of UTF-8.
pub const SESSION_ID_MAX_BYTES: usize = 128;
/// Longest other id or name (device, content, plan), in bytes of UTF-8.
pub const NAME_MAX_BYTES: usize = 256;
/// Longest key of an attribute, in bytes of UTF-8.
pub const ATTRIBUTE_KEY_MAX_BYTES: usize = 64;
/// Longest value of an attribute, in bytes of UTF-8; it may be empty.
pub const ATTRIBUTE_VALUE_MAX_BYTES: usize = 256;
/// Most attributes of a session, or entries of a user's profile.
pub const ATTRIBUTES_MAX: usize = 16;

/// Highest limit of concurrent sessions; the lowest is 0, which blocks a user.
pub const LIMIT_MAX: u32 = 1_000;
/// The limit of a user without plan and without a limit of its own, unless configured otherwise.
pub const LIMIT_DEFAULT: u32 = 3;
/// The least age at which `evict_oldest` ends a session, unless configured otherwise, in seconds.
pub const EVICT_MIN_AGE_DEFAULT_S: u32 = 5;
/// Highest such age, in seconds: one hour.
pub const EVICT_MIN_AGE_MAX_S: u32 = 60 * 60;
/// Most sessions one start may ask to end (`terminate`).
pub const TERMINATE_MAX: usize = LIMIT_MAX as usize;

/// Shortest lease, in seconds.
pub const LEASE_MIN_S: u32 = 5;
/// Longest lease, in seconds: one day.
pub const LEASE_MAX_S: u32 = 24 * 60 * 60;
/// The lease unless configured otherwise, in seconds.
pub const LEASE_DEFAULT_S: u32 = 90;
/// A player should call this many times within one lease, unless configured otherwise.
pub const HEARTBEATS_PER_LEASE: u32 = 3;

/// Longest time that heartbeats may go unwritten, in seconds.
pub const HEARTBEAT_WRITE_INTERVAL_MAX_S: u32 = 10 * 60;
/// Most that the clocks of two nodes may be apart where the store has none to ask, in seconds.
pub const CLOCK_SKEW_MAX_S: u32 = 5;

/// Shortest interruption that counts as a stall of the server, in seconds. A busy machine keeps a
/// process waiting for shorter ones.
pub const STALL_MIN_S: u32 = 2;

/// How long an ended session is remembered and an expired one can be revived, in seconds,
/// unless configured otherwise.
pub const REVIVE_WINDOW_DEFAULT_S: u32 = 10 * 60;
/// Longest revive window, in seconds.
pub const REVIVE_WINDOW_MAX_S: u32 = 24 * 60 * 60;

/// Most remembered endings of a user that can be revived (expired ones); the oldest go first.
/// As many as the highest limit, so that a whole household, hotel or campus that lost its
/// network at once comes back.
pub const REVIVABLE_ENDINGS_MAX: usize = LIMIT_MAX as usize;
/// Most remembered endings of a user that others caused (evicted, terminated, revoked); the oldest
/// go first. As many as the highest limit, so that every player of a user that is erased learns it.
pub const IMPOSED_ENDINGS_MAX: usize = LIMIT_MAX as usize;
/// Most remembered endings of a user that its players asked for (stopped), unless more sessions
/// than this are live; the oldest go first. They only make a repeated stop and a stray heartbeat
/// answer well; without a bound a viewer who zaps would grow the ledger at will.
pub const STOPPED_ENDINGS_MAX: usize = 64;

/// Most sessions alive in one ledger. A limit bounds starts; recovery and a lowered limit can
/// leave a ledger with more than the limit, but never with more than the highest limit.
pub const LIVE_MAX: usize = LIMIT_MAX as usize;

/// The latest time a [`crate::Timestamp`] can hold: the last millisecond of the year 9999.
pub const TIMESTAMP_MAX_MS: u64 = 253_402_300_799_999;

/// Largest request body, in bytes.
pub const BODY_MAX_BYTES: usize = 16 * 1024;
/// Largest body of a batch (heartbeats, imports), in bytes.
pub const BATCH_BODY_MAX_BYTES: usize = 256 * 1024;
/// Most bytes that are read of a body whose content does not matter: as many as a browser lets a
/// beacon have.
pub const IGNORED_BODY_MAX_BYTES: usize = 64 * 1024;
/// Most entries of a batch: heartbeats, or users to import.
pub const BATCH_ENTRIES_MAX: usize = 1_000;
/// Most sessions that a node remembers which it admitted without its store.
pub const DEGRADED_SESSIONS_MAX: usize = 100_000;
/// Most commits of a node that run on after their callers have gone, so that their outcome is
/// known.
pub const DETACHED_COMMITS_MAX: usize = 10_000;
/// Most calls of a node whose outcome is unknown and still to be found out for the observers.
pub const UNRESOLVED_CALLS_MAX: usize = 10_000;
/// Most notices of other nodes that wait on a node.
pub const NOTICES_QUEUED_MAX: usize = 16_384;
/// Most bytes of them.
pub const NOTICES_QUEUED_MAX_BYTES: usize = 16 << 20;
/// Most bytes of a notice that sessions which ended may take; one may go beyond it.
pub const NOTICE_SESSIONS_MAX_BYTES: usize = 32 << 10;
/// Most messages that wait to be told to other nodes.
pub const TELLINGS_QUEUED_MAX: usize = 1_024;
/// Most connections that wait to be accepted, unless the system allows fewer (`somaxconn`). All
/// players of an event reconnect at once after a restart, and a full queue delays one by a second,
/// until its system tries again.
pub const BACKLOG_MAX: u32 = 4_096;
/// Most users that a node remembers which met a failure lately, for a metric.
pub const FAILED_USERS_MAX: usize = 10_000;
/// Entries of a page unless the caller says otherwise.
pub const PAGE_SIZE_DEFAULT: usize = 100;
/// Most entries of a page, unless it is one of a user's sessions.
pub const PAGE_SIZE_MAX: usize = 1_000;
/// Most sessions of one user that an answer lists: on a page of its list, or in the answer to a start,
/// whether they hold the slots or were evicted.
pub const SESSIONS_LISTED_MAX: usize = 100;

/// Most event streams of a process, unless configured otherwise.
pub const STREAMS_DEFAULT: usize = 50_000;
/// Most event streams about one user, unless configured otherwise.
pub const STREAMS_PER_USER_DEFAULT: usize = 32;
/// Most event streams about one tenant, unless configured otherwise.
pub const STREAMS_PER_TENANT_DEFAULT: usize = 16;
/// Most events that wait for a reader of a session's stream.
pub const SESSION_STREAM_QUEUE_MAX: usize = 4;
/// Most events that wait for a reader of a user's stream.
pub const USER_STREAM_QUEUE_MAX: usize = 64;
/// Most events that wait for a reader of a tenant's stream, and that are kept for one that comes
/// back.
pub const TENANT_STREAM_QUEUE_MAX: usize = 1_024;
/// How long the events of a tenant are kept after its last reader has gone, in seconds.
pub const TENANT_STREAM_KEPT_S: u32 = 5 * 60;
/// Most sessions that the event of a refused start lists.
pub const REFUSED_EVENT_SESSIONS_MAX: usize = 10;
/// Most other nodes that a node knows of.
pub const NODES_KNOWN_MAX: usize = 256;
/// How long a node is known after it was heard of last, in seconds.
pub const NODES_KNOWN_S: u32 = 10 * 60;
/// Longest text in which a node says how it is, in bytes.
pub const INTRODUCTION_MAX_BYTES: usize = 512;
/// Longest window of the statistics of a node, in seconds: so long they are kept.
pub const STATS_WINDOW_MAX_S: u32 = 3_600;
/// Shortest window of the statistics of a node, in seconds.
pub const STATS_WINDOW_MIN_S: u32 = 10;
/// Window of the statistics of a node unless the caller says otherwise, in seconds.
pub const STATS_WINDOW_DEFAULT_S: u32 = 300;
/// Most users whose live sessions a node counts to tell how many users watch.
pub const WATCHING_SAMPLE_MAX: usize = 1 << 16;
/// Most users whose refusals a node remembers.
pub const REFUSED_USERS_MAX: usize = 4_096;
/// Most refusals that a node remembers of one user.
pub const REFUSALS_PER_USER_MAX: usize = 20;
/// Most memory for refusals that a node remembers, in bytes.
pub const REFUSALS_MAX_BYTES: usize = 8 * 1024 * 1024;
/// Most refusals of a tenant that an answer lists.
pub const REFUSALS_LISTED_MAX: usize = 100;
/// Most users that the statistics of a node name as refused most often.
pub const TOP_REFUSED_MAX: usize = 10;
/// Most records that event streams read at once.
pub const STREAM_CHECKS_AT_ONCE_MAX: usize = 64;

/// The whole number that a number is, if it is one within these bounds: `4.0` is 4, as JSON Schema
/// has it.
#[must_use]
pub fn whole(number: f64, bounds: RangeInclusive<u32>) -> Option<u32> {
    let (least, most) = bounds.into_inner();
    let is_whole = number.fract() == 0.0;
    let is_within = (f64::from(least)..=f64::from(most)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and within the bounds"
    )]
    (is_whole && is_within).then_some(number as u32)
}

// Relations that other code relies on.
const _: () = assert!(LEASE_MIN_S <= LEASE_DEFAULT_S && LEASE_DEFAULT_S <= LEASE_MAX_S);
const _: () = assert!(LIMIT_DEFAULT <= LIMIT_MAX);
const _: () = assert!(
    LEASE_MIN_S >= HEARTBEATS_PER_LEASE,
    "an interval is at least a second"
);
const _: () = assert!(
    STOPPED_ENDINGS_MAX <= REVIVABLE_ENDINGS_MAX && STOPPED_ENDINGS_MAX <= IMPOSED_ENDINGS_MAX
);
const _: () = assert!(EVICT_MIN_AGE_DEFAULT_S <= EVICT_MIN_AGE_MAX_S);
const _: () = assert!(
    LIVE_MAX <= IMPOSED_ENDINGS_MAX,
    "all sessions of a user can be ended at once, and each ending is remembered"
);
const _: () = assert!(REVIVE_WINDOW_DEFAULT_S <= REVIVE_WINDOW_MAX_S);
const _: () = assert!(PAGE_SIZE_DEFAULT <= PAGE_SIZE_MAX);
const _: () = assert!(PAGE_SIZE_DEFAULT <= SESSIONS_LISTED_MAX);
const _: () = assert!(BODY_MAX_BYTES <= BATCH_BODY_MAX_BYTES);
const _: () = assert!(REFUSED_EVENT_SESSIONS_MAX <= SESSIONS_LISTED_MAX);
// A timestamp is stored in 48 bits, a length of text in two bytes.
const _: () = assert!(TIMESTAMP_MAX_MS < 1 << 48);
const _: () = assert!(USER_ID_MAX_BYTES <= u16::MAX as usize);
