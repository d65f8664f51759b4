//! The store: keys and versions into calls, answers and failures into the words of the contract.

use std::future::Future;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use redis::Value;
use streamgate_clock::Stopwatch;
use streamgate_core::{TenantId, Timestamp, UserKey};
use streamgate_store::versioned::{Committed, Loaded, Speculation, Version, VersionedStore, Write};
use streamgate_store::{BoxFuture, Cursor, Page, StoreError};

use crate::call::{COMMIT, CONFIRM, Call, Reply, Wait};
use crate::connection::CurrentCertificates;
use crate::connection::too_late;
use crate::failure::Failure;
use crate::keys::{self, Names};
use crate::observer::{NoServerObserver, ServerObserver};
use crate::probe::{self, Gate, Probe};
use crate::reason::Reason;
use crate::record;
use crate::replicated_versions::ReplicatedVersions;
use crate::scan;
use crate::settings::{OpenError, RedisSettings};
use crate::topology::{Answer, Sent, Topology};
use crate::url;

/// How long the key lives that is written to see whether a server can be written.
const PROBE_MS: u64 = 10_000;

/// How much longer than needed a server keeps a record, in milliseconds: two hours. Servers take keys
/// away by their own clock, so without it a leap of that clock would take the sessions of those who
/// watch.
const GARBAGE_SLACK_MS: u64 = 2 * 60 * 60 * 1_000;

/// What is over later than in the year 9999 stays: servers refuse times that they cannot count.
const GARBAGE_AT_MAX_MS: u64 = 253_402_300_799_999;

/// Records on Redis or Valkey.
#[derive(Debug)]
pub struct RedisStore {
    topology: Arc<Topology>,
    /// Shut while the servers must not be used.
    gate: Arc<Gate>,
    /// Looks at the servers; ends with the store.
    _probe: Probe,
    names: Names,
    settings: RedisSettings,
    certificates: CurrentCertificates,
    /// What replicas have, where they are waited for.
    replicated: Option<ReplicatedVersions>,
}

impl RedisStore {
    /// Begins to connect, and goes on for as long as there is a store. Called on a runtime, which
    /// keeps the connections. Calls wait for the first attempt; after it has failed they are
    /// refused at once, until one succeeds.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn start(settings: &RedisSettings) -> Result<Self, OpenError> {
        Self::start_observed(settings, &(Arc::new(NoServerObserver) as Arc<_>))
    }

    /// As [`start`](Self::start), and tells the observer what is found of the servers.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn start_observed(
        settings: &RedisSettings,
        observer: &Arc<dyn ServerObserver>,
    ) -> Result<Self, OpenError> {
        settings.check()?;
        let location = url::parse(&settings.url)?;
        let certificates = CurrentCertificates::new(settings.tls.clone());
        let topology = Arc::new(Topology::start(settings, location, &certificates));
        let gate = Arc::default();
        Ok(Self {
            _probe: Probe::start(settings, &topology, &gate, observer),
            topology,
            gate,
            certificates,
            names: Names::new(&settings.key_prefix),
            settings: settings.clone(),
            replicated: (settings.wait_replicas > 0).then(ReplicatedVersions::new),
        })
    }

    /// As [`start`](Self::start), but there is a store only where it can be used.
    ///
    /// # Errors
    /// What is wrong with the settings, and those of [`prove`](Self::prove).
    pub async fn open(settings: &RedisSettings) -> Result<Self, OpenError> {
        let store = Self::start(settings)?;
        store.prove().await?;
        Ok(store)
    }

    /// What new connections show and trust, for replacing it. Of no effect without TLS.
    #[must_use]
    pub fn certificates(&self) -> CurrentCertificates {
        self.certificates.clone()
    }

    /// Proves that the servers can be read and written, and keep what is written.
    ///
    /// # Errors
    /// [`OpenError::Refused`] where one answered that they cannot, and would again;
    /// [`OpenError::Evicts`] where one that answers may evict keys; [`OpenError::Unavailable`] where
    /// they may be used later.
    pub async fn prove(&self) -> Result<(), OpenError> {
        self.probe().await?;
        if self.settings.allow_eviction {
            return Ok(());
        }
        let timeout = self.settings.response_timeout;
        let round = probe::round(&self.topology, timeout, Stopwatch::start()).await;
        match probe::eviction_refusal(&round) {
            Some(refusal) => Err(OpenError::Evicts(refusal.why)),
            None => Ok(()),
        }
    }

    /// Sends a call, and gives up after the response timeout. One that does no harm twice is sent
    /// again where its answer was lost: a connection that a server has closed costs no answer.
    async fn send(&self, call: &Call<'_>, is_harmless: bool) -> Result<Answer, Failure> {
        let sent = Sent::default();
        let answered = self.in_time(async {
            match self.topology.send(call, &sent).await {
                Err(Failure::Lost(_)) if is_harmless => self.topology.send(call, &sent).await,
                other => other,
            }
        });
        match answered.await {
            Some(answer) => answer,
            None if sent.get() => Err(Failure::Lost(self.too_late())),
            None => Err(Failure::Refused(self.too_late())),
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let timed = tokio::time::timeout(self.settings.response_timeout, work).await;
        if timed.is_err() {
            self.topology.doubt();
        }
        timed.ok()
    }

    fn too_late(&self) -> Reason {
        too_late(self.settings.response_timeout)
    }

    async fn load_named(&self, name: &[u8]) -> Result<Loaded, Reason> {
        let answer = self.send(&Call::load(name), true).await;
        let Answer { reply, by } = answer.map_err(Failure::reason)?;
        let mut loaded = record::loaded(reply.value)?;
        loaded.now = by.clock.heard(loaded.now.time);
        Ok(loaded)
    }

    async fn commit_named(
        &self,
        name: &[u8],
        expected: Version,
        write: &Write,
    ) -> Result<Committed, Failure> {
        let record = write.record.as_ref();
        let value = record.map(|record| record::join(write.version, record));
        let garbage_at = write
            .garbage_at
            .map(|at| at.as_millis().saturating_add(GARBAGE_SLACK_MS));
        let garbage_at = garbage_at.filter(|at| *at <= GARBAGE_AT_MAX_MS);
        let text = |ms: Option<u64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
        let (garbage_at, decided_at) = (
            text(garbage_at),
            text(write.decided_at.map(Timestamp::as_millis)),
        );
        let arguments = [
            text_of(&expected),
            value.as_deref().unwrap_or_default(),
            garbage_at.as_bytes(),
            decided_at.as_bytes(),
            if write.needs_room { b"" } else { b"1" },
        ];
        let call = Call {
            script: &COMMIT,
            key: name,
            arguments: &arguments,
            wait: self.wait(),
        };
        let Answer { reply, by } = self.send(&call, false).await?;
        let Value::Int(done) = reply.value else {
            let mut current = record::loaded(reply.value).map_err(Failure::Refused)?;
            current.now = if current.version == expected {
                by.clock.corrected(current.now.time)
            } else {
                by.clock.heard(current.now.time)
            };
            return Ok(Committed::Conflict(current));
        };
        if let Some(time) = record::time_of(done) {
            by.clock.heard(time);
        }
        let enough = self.enough_have(write.version, &reply);
        enough.map_err(Failure::Lost)
    }

    /// Writes what was seen once more, so that replicas can be waited for.
    async fn confirm_named(&self, name: &[u8], seen: Version) -> Result<Committed, Reason> {
        let is_known = |versions: &ReplicatedVersions| versions.contains(seen);
        if self.replicated.as_ref().is_none_or(is_known) {
            return Ok(Committed::Done);
        }
        let call = Call {
            script: &CONFIRM,
            key: name,
            arguments: &[text_of(&seen)],
            wait: self.wait(),
        };
        let answer = self.send(&call, true).await;
        let Answer { reply, by } = answer.map_err(Failure::reason)?;
        if reply.value != Value::Int(1) {
            let mut current = record::loaded(reply.value)?;
            current.now = by.clock.heard(current.now.time);
            return Ok(Committed::Conflict(current));
        }
        self.enough_have(seen, &reply)
    }

    /// What to wait for.
    fn wait(&self) -> Option<Wait> {
        let replicas = self.settings.wait_replicas;
        let timeout_ms = self.settings.wait_timeout.as_millis();
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(u64::MAX);
        (replicas > 0).then_some(Wait {
            replicas,
            timeout_ms,
        })
    }

    /// Whether enough replicas have this version, by the reply to what wrote it.
    fn enough_have(&self, version: Version, reply: &Reply) -> Result<Committed, Reason> {
        let replicas = self.settings.wait_replicas;
        if let Some(have) = reply.replicas
            && have < i64::from(replicas)
        {
            let words = format!("{have} of {replicas} replicas have the write");
            return Err(Reason::refused(
                "too few replicas of the store have confirmed a write",
                words,
            ));
        }
        if let Some(versions) = &self.replicated {
            versions.insert(version);
        }
        Ok(Committed::Done)
    }

    /// Writes a key that goes by itself; whether it could.
    async fn write_probe(&self, name: Vec<u8>) -> Result<(), Reason> {
        let loaded = self.load_named(&name).await?;
        let write = Write {
            record: Some(Vec::new()),
            version: Version::fresh(),
            garbage_at: Some(Timestamp::from_millis(
                loaded.now.time.as_millis() + PROBE_MS,
            )),
            decided_at: None,
            // A store that is full is of use: for stops, heartbeats and lists.
            needs_room: false,
        };
        // A conflict is another node that has just written it.
        let written = self.commit_named(&name, loaded.version, &write).await;
        written.map_err(Failure::reason).map(|_| ())
    }

    /// Whether at least one primary can be written. Where a part of a cluster is away, the users of
    /// the other parts are still served.
    async fn probe(&self) -> Result<(), Reason> {
        let primaries = self.in_time(self.topology.primaries()).await;
        let primaries = primaries.unwrap_or_else(|| Err(self.too_late()))?;
        let mut probes = FuturesUnordered::new();
        for (i, primary) in primaries.iter().enumerate() {
            let end = primaries.get(i + 1).map_or(keys::SLOTS, |p| p.first_slot);
            let is_there = |name: &Vec<u8>| {
                let slot = keys::slot(name);
                primaries.len() == 1 || (primary.first_slot..end).contains(&slot)
            };
            let name = (0..1_000_000).map(|n| self.names.probe(n)).find(is_there);
            probes.extend(name.map(|name| self.write_probe(name)));
        }
        if probes.is_empty() {
            return Err(Reason::transient("no server has slots"));
        }
        let mut reasons = Vec::new();
        while let Some(probed) = probes.next().await {
            match probed {
                Ok(()) => return Ok(()),
                Err(why) => reasons.push(why),
            }
        }
        Err(Reason::all(&reasons))
    }
}

/// A version as scripts take it.
fn text_of(version: &Version) -> &[u8] {
    match version {
        none if *none == Version::NONE => &[],
        version => version.as_bytes(),
    }
}

impl VersionedStore for RedisStore {
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        Box::pin(async move {
            self.gate.pass()?;
            Ok(self.load_named(&self.names.record(key)).await?)
        })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.gate.pass()?;
            let name = self.names.record(key);
            Ok(self.commit_named(&name, expected, write).await?)
        })
    }

    fn confirm<'a>(
        &'a self,
        key: &'a UserKey,
        seen: Version,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            self.gate.pass()?;
            Ok(self.confirm_named(&self.names.record(key), seen).await?)
        })
    }

    fn speculation(&self, key: &UserKey) -> Speculation {
        if self.gate.is_shut() {
            return Speculation::Never;
        }
        let estimate = self.topology.time_of(|| self.names.record(key));
        estimate.map_or(Speculation::Never, Speculation::Always)
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            self.gate.pass()?;
            let page = scan::page(&self.topology, &self.names, tenant, from, page_size);
            let page = self.in_time(page).await;
            page.unwrap_or_else(|| Err(StoreError::Unavailable(self.too_late().to_string())))
        })
    }

    fn scans_may_repeat(&self) -> bool {
        true
    }

    fn format_mark(&self) -> BoxFuture<'_, Result<Option<u32>, StoreError>> {
        Box::pin(async move {
            let name = self.names.format();
            let answer = self.send(&Call::load(&name), true).await;
            let read = answer.map_err(|failed| failed.reason().to_string());
            let mark = read.and_then(|answer| record::format_mark(answer.reply.value));
            mark.map_err(StoreError::Unavailable)
        })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.gate.pass()?;
            Ok(self.probe().await?)
        })
    }
}
