//! A store on Redis 6 or newer, or Valkey: standalone, with Sentinel, or as a cluster.
//!
//! One key a user, [`RedisSettings::key_prefix`]`:{tenant NUL user}`, holds eight bytes of version
//! and the record. Three small scripts do all: one loads, one commits on an expected version, one
//! confirms what was seen. The time is the server's own (`TIME`, in the same script). Where a node
//! reckons it, to commit without a load, the script checks it: a node is never ahead, and half a
//! second behind at most. So the servers' clocks must be disciplined, and those of a primary and of
//! its replicas must agree, because a failover goes from one to the other. Keys expire by
//! themselves where the record says from when on nobody needs it.
//!
//! `prefix:format` is the format mark: the newest version of records that may occur, in decimal; 1
//! where there is none. A node that reads only older ones refuses.
//!
//! # What it promises
//!
//! **Current.** Loads write nothing in a way that replicas refuse, so a server that was a primary
//! once never answers from what it still has.
//!
//! **Honest.** A commit is sent once. It is sent again only where a server answered that it did
//! nothing: it did not know the script, or the key lives elsewhere. Whatever else may have
//! happened, a lost answer is `OutcomeUnknown`. The commit script also recognises its own version,
//! so whoever sends it twice does no harm, a proxy or the adapter that asks what became of it.
//!
//! **Durable** is what the servers make of it. Redis replicates after it answers: a failover
//! forgets what the new primary had not yet heard, and while the old one is cut off, both take
//! writes. For that window, usually below a second and no longer than the failover itself, sessions
//! can be forgotten and the limit exceeded. [`RedisSettings::wait_replicas`] narrows it: a commit
//! is then answered only when so many replicas have it (`WAIT`, in the same message on the same
//! connection, in every topology), and so is what changed nothing: what was seen is written once
//! more as it is, unless it is known that replicas have it. A cluster is best set to
//! `cluster-require-full-coverage no`, so that a failover of one part is not felt by the others,
//! and servers to `appendonly yes` and `min-replicas-to-write 1`.
//!
//! **Never evicted.** Each record has an expiry, so every `maxmemory-policy` but `noeviction` may take
//! one away, and with it the sessions that the limit counts. All primaries are asked for it, at the
//! start and each few seconds (`probe/`); where one may evict keys or does not tell, the store refuses,
//! unless [`RedisSettings::allow_eviction`] says that it is meant.
//!
//! **Full.** Where `maxmemory` is reached under `noeviction`, what needs room
//! ([`Write::needs_room`](streamgate_store::versioned::Write::needs_room)) is refused, and loads,
//! heartbeats and stops are done. The scripts see to that without the flag `allow-oom`, which Redis 6
//! does not know: behind its first write the limit of memory is not asked of a script.
//!
//! **Rights.** The user needs `EVALSHA`, `EVAL`, `GET`, `SET`, `SETRANGE`, `DEL`, `PEXPIREAT`,
//! `TIME`, `SCAN`, `INFO` and `PING`, on keys that begin with the prefix; with Sentinel `ROLE`, in
//! a cluster `CLUSTER SLOTS` and `ASKING`, to wait for replicas `WAIT` and `PTTL`.
//!
//! **Bounded.** No call takes longer than the response timeout. While a server is away, calls are
//! refused at once; they do not queue. [`RedisStore::start`] makes a store also then: it serves as
//! soon as the servers do.
//!
//! What is *not* here: decisions. The bytes are the engine's.

mod call;
mod connection;
mod failure;
mod keys;
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
pub use settings::{OpenError, RedisSettings};
pub use store::RedisStore;
pub use url::{Credentials, UrlError};
