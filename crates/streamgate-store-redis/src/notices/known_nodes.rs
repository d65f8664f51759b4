//! Other nodes, as they introduce themselves: how each is, and when it was heard of last.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::passed_ms;
use streamgate_core::bounds::{INTRODUCTION_MAX_BYTES, NODES_KNOWN_MAX, NODES_KNOWN_S};
use streamgate_store::Peer;

use super::message::NodeId;

/// The nodes that were heard of lately.
#[derive(Debug, Default)]
pub(super) struct KnownNodes(Mutex<HashMap<NodeId, Introduction>>);

#[derive(Debug)]
struct Introduction {
    about: Vec<u8>,
    /// Since the start of this machine.
    at_ms: u64,
}

const KEPT_MS: u64 = NODES_KNOWN_S as u64 * 1_000;

impl KnownNodes {
    /// A node says this of itself.
    pub(super) fn introduced(&self, node: NodeId, about: &[u8]) {
        self.introduced_at(node, about, passed_ms());
    }

    fn introduced_at(&self, node: NodeId, about: &[u8], at_ms: u64) {
        if about.len() > INTRODUCTION_MAX_BYTES {
            return;
        }
        let mut nodes = self.0.lock();
        nodes.retain(|_, heard| at_ms.saturating_sub(heard.at_ms) < KEPT_MS);
        if nodes.len() < NODES_KNOWN_MAX || nodes.contains_key(&node) {
            let about = about.to_vec();
            nodes.insert(node, Introduction { about, at_ms });
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Peer> {
        self.all_at(passed_ms())
    }

    fn all_at(&self, now_ms: u64) -> Vec<Peer> {
        let nodes = self.0.lock();
        let peers = nodes.values().map(|heard| Peer {
            about: heard.about.clone(),
            ago: Duration::from_millis(now_ms.saturating_sub(heard.at_ms)),
        });
        peers
            .filter(|peer| peer.ago < Duration::from_millis(KEPT_MS))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_known_for_a_while_after_they_were_heard_of() {
        let nodes = KnownNodes::default();
        let (one, other) = (NodeId::fresh(), NodeId::fresh());
        nodes.introduced_at(one, b"one", 0);
        nodes.introduced_at(other, b"other", 1_000);
        nodes.introduced_at(one, b"one again", 2_000);
        let mut known: Vec<_> = nodes
            .all_at(3_000)
            .into_iter()
            .map(|peer| (peer.about, peer.ago.as_millis()))
            .collect();
        known.sort();
        let is = |about: &[u8], ago| (about.to_vec(), ago);
        assert_eq!(known, [is(b"one again", 1_000), is(b"other", 2_000)]);
        assert_eq!(nodes.all_at(1_000 + KEPT_MS).len(), 1);
        assert!(nodes.all_at(2_000 + KEPT_MS).is_empty());
    }

    #[test]
    fn there_is_room_for_so_many_nodes_and_so_long_introductions() {
        let nodes = KnownNodes::default();
        for _ in 0..2 * NODES_KNOWN_MAX {
            nodes.introduced_at(NodeId::fresh(), b"", 0);
        }
        assert_eq!(nodes.all_at(0).len(), NODES_KNOWN_MAX);
        let long = NodeId::fresh();
        nodes.introduced_at(long, &[0; INTRODUCTION_MAX_BYTES + 1], KEPT_MS);
        assert!(nodes.all_at(KEPT_MS).is_empty());
        nodes.introduced_at(long, &[0; INTRODUCTION_MAX_BYTES], KEPT_MS);
        assert_eq!(nodes.all_at(KEPT_MS).len(), 1);
    }
}
