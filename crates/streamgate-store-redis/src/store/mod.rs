//! The store: makes calls of keys and versions, and results of the port's contract of answers and
//! failures.

mod proof;

use std::future::Future;
use std::sync::Arc;

use redis::Value;
use streamgate_core::{TenantId, Timestamp, UserKey};
use streamgate_store::versioned::{
    Committed, Loaded, NotUsable, RemoteStore as _, Speculation, Version, VersionedStore, Write,
};
use streamgate_store::{BoxFuture, Cursor, Notices, Page, StoreError};

use crate::call::{COMMIT, CONFIRM, Call, RAISE_MARK, Reply, Wait};
use crate::connection::{Connector, CurrentCertificates, too_late};
use crate::failure::Failure;
use crate::keys::Names;
use crate::notices::{Publication, RedisNotices};
use crate::observer::{NoServerObserver, ServerObserver};
use crate::probe::{Gate, Probe};
use crate::reason::Reason;
use crate::record;
use crate::replicated_versions::ReplicatedVersions;
use crate::scan;
use crate::server_clock::CurrentStallRule;
use crate::settings::{RedisSettings, SettingsError};
use crate::topology::{Answer, Sent, Topology};
use crate::url;

/// How much longer than needed a server keeps a record, in milliseconds: two hours. Servers expire
/// keys by their own clock, so without it a leap of that clock would delete live sessions.
const GARBAGE_SLACK_MS: u64 = 2 * 60 * 60 * 1_000;

/// The end of the year 9999. Records that become garbage later do not expire: servers refuse such
/// times.
const GARBAGE_AT_MAX_MS: u64 = 253_402_300_799_999;

/// Records on Redis or Valkey.
#[derive(Debug)]
pub struct RedisStore {
    topology: Arc<Topology>,
    /// Shut until the servers are proven, and while they must not be used.
    gate: Arc<Gate>,
    /// The probing task; ends with the store.
    _probe: Probe,
    names: Names,
    notices: Arc<RedisNotices>,
    settings: RedisSettings,
    certificates: CurrentCertificates,
    stall_rule: CurrentStallRule,
    /// Versions that replicas have, if commits wait for replicas.
    replicated: Option<ReplicatedVersions>,
}

impl RedisStore {
    /// Begins to connect and to probe. Called on a runtime, which keeps the connections. Calls are
    /// refused until a first probe has passed ([`prove`](streamgate_store::versioned::RemoteStore::prove) is one).
    ///
    /// # Errors
    /// The first setting that is not valid.
    pub fn start(settings: &RedisSettings) -> Result<Self, SettingsError> {
        Self::start_observed(settings, &(Arc::new(NoServerObserver) as Arc<_>))
    }

    /// As [`start`](Self::start), with an observer of the servers.
    ///
    /// # Errors
    /// The first setting that is not valid.
    pub fn start_observed(
        settings: &RedisSettings,
        observer: &Arc<dyn ServerObserver>,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let location = url::parse(&settings.url)?;
        let certificates = CurrentCertificates::new(settings.tls.clone());
        let connector = Connector::to_primaries(settings, &location, &certificates);
        let stall_rule = CurrentStallRule::new(settings.stall_rule);
        let topology = Topology::start(settings, location, &certificates, &stall_rule);
        let topology = Arc::new(topology);
        let gate = Arc::default();
        let names = Names::new(&settings.key_prefix);
        Ok(Self {
            notices: Arc::new(RedisNotices::start(&topology, connector, &names)),
            _probe: Probe::start(settings, &topology, &gate, observer),
            topology,
            gate,
            certificates,
            stall_rule,
            names,
            settings: settings.clone(),
            replicated: (settings.wait_replicas > 0).then(ReplicatedVersions::new),
        })
    }

    /// As [`start`](Self::start), and proves that the servers can be used.
    ///
    /// # Errors
    /// [`NotUsable`]; settings that are not valid are [`NotUsable::Refused`].
    pub async fn open(settings: &RedisSettings) -> Result<Self, NotUsable> {
        let store = Self::start(settings)?;
        store.prove().await?;
        Ok(store)
    }

    /// The certificates of new connections, to replace them. Of no effect without TLS.
    #[must_use]
    pub fn certificates(&self) -> CurrentCertificates {
        self.certificates.clone()
    }

    /// The rule by which a silence or a leap of a server's clock is a stall, to replace it.
    #[must_use]
    pub fn stall_rule(&self) -> CurrentStallRule {
        self.stall_rule.clone()
    }

    /// Sends a call, bounded by the response timeout. An idempotent call is retried once if its
    /// answer was lost, so that it survives a connection that the server has closed.
    async fn send(&self, call: &Call<'_>, is_idempotent: bool) -> Result<Answer, Failure> {
        let sent = Sent::default();
        let answered = self.in_time(async {
            match self.topology.send(call, &sent).await {
                Err(Failure::Lost(_)) if is_idempotent => self.topology.send(call, &sent).await,
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
            self.topology.suspect();
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
        publication: Option<&Publication>,
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
        let mut arguments = vec![
            text_of(&expected),
            value.as_deref().unwrap_or_default(),
            garbage_at.as_bytes(),
            decided_at.as_bytes(),
            if write.needs_room { b"" } else { b"1" },
        ];
        if let Some(publication) = publication {
            arguments.push(&publication.message);
            arguments.extend(publication.tenant_channel.as_deref());
        }
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
        if publication.is_some() {
            self.notices.published();
        }
        if let Some(time) = record::time_of(done) {
            by.clock.heard(time);
        }
        let enough = self.enough_have(write.version, &reply);
        enough.map_err(Failure::Lost)
    }

    /// Rewrites the record that was read, so that `WAIT` covers it.
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

    /// The `WAIT` of a commit.
    fn wait(&self) -> Option<Wait> {
        let replicas = self.settings.wait_replicas;
        let timeout_ms = self.settings.wait_timeout.as_millis();
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(u64::MAX);
        (replicas > 0).then_some(Wait {
            replicas,
            timeout_ms,
        })
    }

    /// Checks that enough replicas have this version, by the reply to the call that wrote it.
    fn enough_have(&self, version: Version, reply: &Reply) -> Result<Committed, Reason> {
        self.enough_replicas(reply)?;
        if let Some(versions) = &self.replicated {
            versions.insert(version);
        }
        Ok(Committed::Done)
    }

    /// Whether as many replicas as the settings ask for have everything that was written.
    fn enough_replicas(&self, reply: &Reply) -> Result<(), Reason> {
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
        Ok(())
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
            let publication = self.notices.publication(key, &write.notice);
            let committed = self.commit_named(&name, expected, write, publication.as_ref());
            Ok(committed.await?)
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
        if !self.gate.is_open() {
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

    fn notices(&self) -> Option<Arc<dyn Notices>> {
        Some(Arc::clone(&self.notices) as Arc<_>)
    }

    fn backup_advice(&self) -> &'static str {
        "the data is in Redis: back it up there, by copies of its RDB file (BGSAVE) or of its \
         append-only files"
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

    fn raise_format_mark(&self, to: u8) -> BoxFuture<'_, Result<u32, StoreError>> {
        Box::pin(async move {
            let (name, to) = (self.names.format(), to.to_string());
            let call = Call {
                script: &RAISE_MARK,
                key: &name,
                arguments: &[to.as_bytes()],
                wait: self.wait(),
            };
            let raised = async {
                let reply = self.send(&call, true).await.map_err(Failure::reason)?.reply;
                self.enough_replicas(&reply)?;
                Ok(reply.value)
            };
            let value = raised.await.map_err(|why: Reason| why.to_string());
            let mark = value.and_then(record::format_mark);
            let mark = mark.map_err(StoreError::Unavailable)?;
            Ok(mark.expect("the script answers a mark"))
        })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.probe().await?;
            self.gate.pass()
        })
    }
}
