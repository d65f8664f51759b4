//! The proof that the servers can be used: a write to one of them at least, and settings that keep
//! what is written.

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use streamgate_core::Timestamp;
use streamgate_store::BoxFuture;
use streamgate_store::versioned::{NotUsable, RemoteStore, Version, Write};

use super::RedisStore;
use crate::failure::Failure;
use crate::keys;
use crate::probe;
use crate::reason::Reason;

/// The lifetime of the key with which the probe tries a write, in milliseconds.
const PROBE_MS: u64 = 10_000;

impl RedisStore {
    /// Writes a key that soon expires.
    async fn write_probe(&self, name: Vec<u8>) -> Result<(), Reason> {
        let loaded = self.load_named(&name).await?;
        let write = Write {
            record: Some(Vec::new()),
            version: Version::fresh(),
            garbage_at: Some(Timestamp::from_millis(
                loaded.now.time.as_millis() + PROBE_MS,
            )),
            decided_at: None,
            // A full store still serves stops, heartbeats and lists.
            needs_room: false,
            notice: Vec::new(),
        };
        // A conflict is another node that has just written it.
        let written = self.commit_named(&name, loaded.version, &write, None).await;
        written.map_err(Failure::reason).map(|_| ())
    }

    /// Checks that at least one primary can be written. If a shard of a cluster is away, the users
    /// of the others are still served.
    pub(super) async fn probe(&self) -> Result<(), Reason> {
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

impl RemoteStore for RedisStore {
    fn prove(&self) -> BoxFuture<'_, Result<(), NotUsable>> {
        Box::pin(async move {
            self.probe().await?;
            if !self.settings.allow_eviction {
                let timeout = self.settings.response_timeout;
                let round = probe::round(&self.topology, timeout).await;
                if let Some(refusal) = probe::eviction_refusal(&round) {
                    return Err(NotUsable::Misconfigured(refusal.why));
                }
                if round.heard.is_empty() {
                    return Err(self.too_late().into());
                }
            }
            self.gate.open();
            Ok(())
        })
    }
}
