//! A store on Redis 6 or newer, or Valkey: standalone, with Sentinel, or as a cluster.
//!
//! One key a user, [`RedisSettings::key_prefix`]`:{tenant NUL user}`, holds eight bytes of version
//! and the record. Three scripts work on records: load, commit on an expected version, and confirm
//! what was read. The time is the server's own (`TIME`, in the same script). For a speculative
//! commit, which has no load before it, the node estimates that time, and the script checks the
//! estimate: it is never ahead, and at most half a second behind. So the servers' clocks must be disciplined
//! (NTP), and those of a primary and its replicas must agree, because a failover goes from one to
//! the other. A key expires by itself at the time from which on its record means nothing.
//!
//! `prefix:format` is the format mark: the newest version of records that may occur, in decimal; 1
//! if the key is missing. A node that reads only older versions refuses.
//!
//! # What it promises
//!
//! **No stale reads.** The load script contains a write that changes nothing. A replica refuses it,
//! so a server that was demoted never answers from its old data.
//!
//! **At most once.** A commit is sent once. It is sent again only if a server answered that it did
//! nothing: it did not know the script, or the key is on another server. Every other lost answer is
//! `OutcomeUnknown`. The commit is idempotent: the script recognises its own version, so a proxy,
//! or the adapter that resolves an unknown outcome, may send it twice.
//!
//! **Durability** is that of the servers. Redis replicates asynchronously: a failover loses what
//! the new primary had not received, and while the old primary is cut off, both take writes. In
//! that window, usually below a second and no longer than the failover, sessions can be lost and
//! the limit exceeded. [`RedisSettings::wait_replicas`] narrows it: a commit is acknowledged only
//! when so many replicas have it (`WAIT`, in the same message on the same connection, in every
//! topology). A read-only result is then confirmed as well: the record it rests on is rewritten
//! unchanged, unless this node knows that replicas have that version. Recommended:
//! `cluster-require-full-coverage no`, so that a failover of one shard does not stop the others,
//! `appendonly yes` and `min-replicas-to-write 1`.
//!
//! **No eviction.** Each record has an expiry, so every `maxmemory-policy` but `noeviction` may
//! evict it, and with it the sessions that the limit counts. All primaries are asked for their
//! policy, at the start and every few seconds (`probe/`). If one may evict keys or does not tell,
//! the store refuses, unless [`RedisSettings::allow_eviction`] is set. Until a first probe has
//! passed, the store refuses as well.
//!
//! **Full memory.** If `maxmemory` is reached under `noeviction`, writes that need room
//! ([`Write::needs_room`](streamgate_store::versioned::Write::needs_room)) are refused; loads,
//! heartbeats and stops go on. The scripts do that without the flag `allow-oom`, which Redis 6 does
//! not know: Redis checks the limit only at the first write of a script.
//!
//! **Notices.** The commit script also publishes what was committed, on the channel of the user,
//! which has the name of the record; a node subscribes to the channels of the users that somebody
//! listens to there (`notices/`). What cannot be published fails no commit.
//!
//! **Permissions.** The user needs `EVALSHA`, `EVAL`, `GET`, `SET`, `SETRANGE`, `DEL`, `PEXPIREAT`,
//! `TIME`, `SCAN`, `INFO` and `PING`, on keys that begin with the prefix; with Sentinel `ROLE`, in
//! a cluster `CLUSTER SLOTS` and `ASKING`, to wait for replicas `WAIT` and `PTTL`. For notices:
//! `PUBLISH`, `SPUBLISH`, `SUBSCRIBE`, `SSUBSCRIBE`, `UNSUBSCRIBE` and `SUNSUBSCRIBE`, on channels
//! that begin with the prefix.
//!
//! **Bounded waits.** No call takes longer than the response timeout. While a server is away, calls
//! are refused at once; they do not queue. [`RedisStore::start`] makes a store also then: it serves
//! soon after the servers do.
//!
//! What is *not* here: decisions. The bytes are the engine's.

mod call;
mod connection;
mod failure;
mod keys;
mod notices;
mod observer;
mod probe;
mod reason;
mod record;
mod replicated_versions;
mod scan;
mod server_clock;
mod settings;
mod store;
mod topology;
mod url;

pub use connection::{CertificateError, Certificates, CurrentCertificates};
pub use observer::{NoServerObserver, ServerObserver};
pub use server_clock::CurrentStallRule;
pub use settings::{RedisSettings, SettingsError};
pub use store::RedisStore;
pub use url::{Credentials, UrlError};
