//! The store: keys and versions into calls, answers and failures into the words of the contract.

use std::future::Future;

use futures_util::future::select_ok;
use redis::Value;
use streamgate_core::{TenantId, Timestamp, UserKey};
use streamgate_store::versioned::{Committed, Loaded, Version, VersionedStore, Write};
use streamgate_store::{BoxFuture, Cursor, Page, StoreError};

use crate::call::{COMMIT, CONFIRM, Call, Reply, Wait};
use crate::confirmed::Confirmed;
use crate::failure::Failure;
use crate::keys::{self, Names};
use crate::record;
use crate::scan;
use crate::settings::{OpenError, RedisSettings};
use crate::topology::{Sent, Topology};
use crate::url;

/// How long the key lives that is written to see whether a server can be written.
const PROBE_MS: u64 = 10_000;

/// What is over later than in the year 9999 stays: servers refuse times that they cannot count.
const GARBAGE_AT_MAX_MS: u64 = 253_402_300_799_999;

/// Records on Redis or Valkey.
#[derive(Debug)]
pub struct RedisStore {
    topology: Topology,
    names: Names,
    settings: RedisSettings,
    /// What replicas have, where they are waited for.
    confirmed: Option<Confirmed>,
}

impl RedisStore {
    /// Connects, and proves that the servers can be written. Called on a runtime, which then keeps
    /// the connections.
    ///
    /// # Errors
    /// What is wrong with the settings, or [`OpenError::Unavailable`] where the servers cannot be
    /// used now.
    pub async fn open(settings: &RedisSettings) -> Result<Self, OpenError> {
        settings.check()?;
        let location = url::parse(&settings.url)?;
        let store = Self {
            topology: Topology::start(settings, location)?,
            names: Names::new(&settings.key_prefix),
            settings: settings.clone(),
            confirmed: (settings.wait_replicas > 0).then(Confirmed::new),
        };
        store.probe().await.map_err(OpenError::Unavailable)?;
        Ok(store)
    }

    /// Sends a call, and gives up after the response timeout. One that does no harm twice is sent
    /// again where its answer was lost: a connection that a server has closed costs no answer.
    async fn send(&self, call: &Call<'_>, is_harmless: bool) -> Result<Reply, Failure> {
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

    fn too_late(&self) -> String {
        let ms = self.settings.response_timeout.as_millis();
        format!("no answer within {ms} ms")
    }

    async fn load_named(&self, name: &[u8]) -> Result<Loaded, StoreError> {
        let answer = self.send(&Call::load(name), true).await;
        let reply = answer.map_err(|failure| StoreError::Unavailable(failure.reason()))?;
        record::loaded(reply.value).map_err(StoreError::Unavailable)
    }

    async fn commit_named(
        &self,
        name: &[u8],
        expected: Version,
        write: &Write,
    ) -> Result<Committed, StoreError> {
        let record = write.record.as_ref();
        let value = record.map(|record| record::join(write.version, record));
        let garbage_at = write.garbage_at.map(Timestamp::as_millis);
        let garbage_at = garbage_at.filter(|at| *at <= GARBAGE_AT_MAX_MS);
        let garbage_at = garbage_at.map(|at| at.to_string());
        let arguments = [
            text_of(&expected),
            value.as_deref().unwrap_or_default(),
            garbage_at.as_deref().unwrap_or_default().as_bytes(),
        ];
        let call = Call {
            script: &COMMIT,
            key: name,
            arguments: &arguments,
            wait: self.wait(),
        };
        let reply = self
            .send(&call, false)
            .await
            .map_err(|failure| match failure {
                Failure::Lost(why) => StoreError::OutcomeUnknown(why),
                refused => StoreError::Unavailable(refused.reason()),
            })?;
        if reply.value != Value::Int(1) {
            let current = record::loaded(reply.value).map_err(StoreError::Unavailable)?;
            return Ok(Committed::Conflict(current));
        }
        self.enough_have(write.version, &reply)
            .map_err(StoreError::OutcomeUnknown)
    }

    /// Writes what was seen once more, so that replicas can be waited for.
    async fn confirm_named(&self, name: &[u8], seen: Version) -> Result<Committed, StoreError> {
        let is_known = |confirmed: &Confirmed| confirmed.knows(seen);
        if self.confirmed.as_ref().is_none_or(is_known) {
            return Ok(Committed::Done);
        }
        let call = Call {
            script: &CONFIRM,
            key: name,
            arguments: &[text_of(&seen)],
            wait: self.wait(),
        };
        let answer = self.send(&call, true).await;
        let reply = answer.map_err(|failure| StoreError::Unavailable(failure.reason()))?;
        if reply.value != Value::Int(1) {
            let current = record::loaded(reply.value).map_err(StoreError::Unavailable)?;
            return Ok(Committed::Conflict(current));
        }
        self.enough_have(seen, &reply)
            .map_err(StoreError::Unavailable)
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
    fn enough_have(&self, version: Version, reply: &Reply) -> Result<Committed, String> {
        let replicas = self.settings.wait_replicas;
        if let Some(have) = reply.replicas
            && have < i64::from(replicas)
        {
            return Err(format!("{have} of {replicas} replicas have the write"));
        }
        if let Some(confirmed) = &self.confirmed {
            confirmed.learn(version);
        }
        Ok(Committed::Done)
    }

    /// Writes a key that goes by itself; whether it could.
    async fn write_probe(&self, name: Vec<u8>) -> Result<(), String> {
        let told = |error: StoreError| match error {
            StoreError::Unavailable(why) | StoreError::OutcomeUnknown(why) => why,
            other @ StoreError::BadCursor => other.to_string(),
        };
        let loaded = self.load_named(&name).await.map_err(told)?;
        let write = Write {
            record: Some(Vec::new()),
            version: Version::fresh(),
            garbage_at: Some(Timestamp::from_millis(loaded.now.as_millis() + PROBE_MS)),
        };
        // A conflict is another node that has just written it.
        let written = self.commit_named(&name, loaded.version, &write).await;
        written.map_err(told).map(|_| ())
    }

    /// Whether at least one primary can be written. Where a part of a cluster is away, the users of
    /// the other parts are still served.
    async fn probe(&self) -> Result<(), String> {
        let primaries = self.in_time(self.topology.primaries()).await;
        let primaries = primaries.unwrap_or_else(|| Err(self.too_late()))?;
        let mut probes = Vec::new();
        for (i, primary) in primaries.iter().enumerate() {
            let end = primaries.get(i + 1).map_or(keys::SLOTS, |p| p.first_slot);
            let is_there = |name: &Vec<u8>| {
                let slot = keys::slot(name);
                primaries.len() == 1 || (primary.first_slot..end).contains(&slot)
            };
            let name = (0..1_000_000).map(|n| self.names.probe(n)).find(is_there);
            probes.extend(name.map(|name| Box::pin(self.write_probe(name))));
        }
        if probes.is_empty() {
            return Err("no server has slots".to_owned());
        }
        select_ok(probes).await.map(|_| ())
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
        Box::pin(async move { self.load_named(&self.names.record(key)).await })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            let name = self.names.record(key);
            self.commit_named(&name, expected, write).await
        })
    }

    fn confirm<'a>(
        &'a self,
        key: &'a UserKey,
        seen: Version,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(async move { self.confirm_named(&self.names.record(key), seen).await })
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let page = scan::page(&self.topology, &self.names, tenant, from, page_size);
            let page = self.in_time(page).await;
            page.unwrap_or_else(|| Err(StoreError::Unavailable(self.too_late())))
        })
    }

    fn scans_may_repeat(&self) -> bool {
        true
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.probe().await.map_err(StoreError::Unavailable) })
    }
}
