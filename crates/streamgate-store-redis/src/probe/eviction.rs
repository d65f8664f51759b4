//! Detects servers that may evict keys: an evicted record loses sessions that the limit counts.
//!
//! Every record has an expiry, so each policy but `noeviction` may take one once `maxmemory` is
//! reached. A server that does not tell its policy is treated as one that evicts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use streamgate_store::Refusal;

use super::info::Info;
use super::{Check, ProbeAnswer, Round};
use crate::observer::ServerObserver;
use crate::url::Address;

/// The text for callers.
const TOLD: &str = "the store is set up so that it may drop sessions, which would break the limit";

/// The policy under which nothing is evicted.
const KEEPS_ALL: &str = "noeviction";

/// What earlier rounds found.
pub(super) struct Evictions {
    is_allowed: bool,
    observer: Arc<dyn ServerObserver>,
    /// Faulty primaries, and why they must not be used.
    faults: HashMap<Address, String>,
    /// The counter of evicted keys of each primary in its last answer.
    evicted: HashMap<Address, u64>,
    /// Whether the log has the warning that evictions are allowed.
    has_warned: bool,
}

impl Evictions {
    pub(super) fn new(is_allowed: bool, observer: Arc<dyn ServerObserver>) -> Self {
        Self {
            is_allowed,
            observer,
            faults: HashMap::new(),
            evicted: HashMap::new(),
            has_warned: false,
        }
    }

    /// Counts the keys that were evicted since the last answer; for the first answer of a server,
    /// none.
    fn count(&mut self, heard: &ProbeAnswer) {
        let Some(evicted) = heard.info.as_ref().ok().and_then(|info| info.evicted_keys) else {
            return;
        };
        let before = self.evicted.insert(heard.address.clone(), evicted);
        // A restarted server counts from 0.
        let more = before.map_or(0, |before| evicted.checked_sub(before).unwrap_or(evicted));
        if more == 0 {
            return;
        }
        self.observer.evicted(more);
        if !self.is_allowed {
            tracing::error!(
                server = %heard.address,
                keys = more,
                "a server of the store has evicted keys: users may have more sessions than their \
                 limit"
            );
        }
    }
}

impl Check for Evictions {
    fn examine(&mut self, round: &Round) -> Option<Refusal> {
        for heard in &round.heard {
            self.count(heard);
            match fault(heard) {
                Some(why) => self.faults.insert(heard.address.clone(), why),
                None => self.faults.remove(&heard.address),
            };
        }
        if !round.silent.contains(&None) {
            // The addresses of all primaries are known: former ones are dropped.
            let heard = round.heard.iter().map(|heard| &heard.address);
            let silent = round.silent.iter().flatten();
            let primaries: HashSet<&Address> = heard.chain(silent).collect();
            self.faults.retain(|at, _| primaries.contains(at));
            self.evicted.retain(|at, _| primaries.contains(at));
        }
        let refusal = refusal_of(self.faults.values())?;
        if !self.is_allowed {
            return Some(refusal);
        }
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                reason = refusal.why,
                "servers of the store may evict keys, and store.redis.allow_eviction is true: \
                 where one does, users get more sessions than their limit"
            );
        }
        None
    }
}

/// Why the store must not be used, judged by one round.
pub(crate) fn refusal(round: &Round) -> Option<Refusal> {
    let faults: Vec<String> = round.heard.iter().filter_map(fault).collect();
    refusal_of(faults.iter())
}

/// All faults in one refusal, in a stable order.
fn refusal_of<'a>(faults: impl Iterator<Item = &'a String>) -> Option<Refusal> {
    let mut faults: Vec<&str> = faults.map(String::as_str).collect();
    if faults.is_empty() {
        return None;
    }
    faults.sort_unstable();
    let why = format!(
        "{}. Set maxmemory-policy to noeviction on every server, replicas too (CONFIG SET \
         maxmemory-policy noeviction, and in its configuration; a managed service has it in its \
         parameters), or, where lost sessions do no harm, store.redis.allow_eviction = true",
        faults.join("; ")
    );
    Some(Refusal { told: TOLD, why })
}

/// Why a primary must not be used.
fn fault(heard: &ProbeAnswer) -> Option<String> {
    let address = &heard.address;
    let info = match &heard.info {
        Ok(info) => info,
        Err(why) => {
            return Some(format!(
                "{why}, so it is not known whether {address} may evict keys"
            ));
        }
    };
    match info {
        Info {
            maxmemory: Some(0), ..
        } => None,
        Info {
            maxmemory_policy: Some(policy),
            ..
        } if policy == KEEPS_ALL => None,
        Info {
            maxmemory_policy: Some(policy),
            ..
        } => Some(format!(
            "{address} evicts keys when its memory is full: its maxmemory-policy is {policy}"
        )),
        Info {
            maxmemory_policy: None,
            ..
        } => Some(format!(
            "{address} does not say in INFO whether it evicts keys (maxmemory, maxmemory_policy)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::reason::Reason;

    #[derive(Debug, Default)]
    struct Count(AtomicU64);

    impl ServerObserver for Count {
        fn evicted(&self, keys: u64) {
            self.0.fetch_add(keys, Ordering::Relaxed);
        }
    }

    fn at(port: u16) -> Address {
        Address::new("h", port)
    }

    fn heard(port: u16, info: Result<Info, Reason>) -> ProbeAnswer {
        ProbeAnswer {
            address: at(port),
            info,
        }
    }

    fn set_to(maxmemory: Option<u64>, policy: Option<&str>, evicted_keys: u64) -> Info {
        Info {
            maxmemory,
            maxmemory_policy: policy.map(str::to_owned),
            evicted_keys: Some(evicted_keys),
        }
    }

    fn round(heard: Vec<ProbeAnswer>, silent: Vec<Option<Address>>) -> Round {
        Round { heard, silent }
    }

    #[test]
    fn only_a_server_that_says_it_keeps_all_is_right() {
        let refused = |info| refusal(&round(vec![heard(1, info)], vec![])).is_some();
        assert!(!refused(Ok(set_to(Some(0), Some("allkeys-lru"), 0))));
        assert!(!refused(Ok(set_to(Some(0), None, 0))));
        assert!(!refused(Ok(set_to(Some(9), Some("noeviction"), 0))));
        assert!(!refused(Ok(set_to(None, Some("noeviction"), 0))));
        assert!(refused(Ok(set_to(Some(9), Some("volatile-ttl"), 0))));
        assert!(refused(Ok(set_to(Some(9), None, 0))));
        assert!(refused(Ok(set_to(None, Some("allkeys-lfu"), 0))));
        assert!(refused(Ok(Info::default())));
        assert!(refused(Err(Reason::permanent("NOPERM"))));
    }

    #[test]
    fn a_refusal_lasts_while_the_server_is_silent_and_ends_when_it_is_right_or_no_primary() {
        let observer = Arc::new(Count::default());
        let mut evictions = Evictions::new(false, Arc::clone(&observer) as Arc<_>);
        let wrong = || heard(1, Ok(set_to(Some(9), Some("allkeys-lru"), 0)));
        let right = |port| heard(port, Ok(set_to(Some(9), Some("noeviction"), 0)));
        let found = evictions.examine(&round(vec![wrong(), right(2)], vec![]));
        let why = found.unwrap().why;
        assert!(why.contains("h:1") && !why.contains("h:2"), "{why}");
        for silent in [None, Some(at(1))] {
            let still = evictions.examine(&round(vec![right(2)], vec![silent]));
            assert!(still.is_some(), "silence is no news");
        }
        assert_eq!(
            evictions.examine(&round(vec![right(1), right(2)], vec![])),
            None
        );
        assert!(evictions.examine(&round(vec![wrong()], vec![])).is_some());
        // A failover: another is the primary, and it is right.
        assert_eq!(evictions.examine(&round(vec![right(2)], vec![])), None);
    }

    #[test]
    fn evicted_keys_are_counted_from_when_a_server_is_heard_first() {
        let observer = Arc::new(Count::default());
        let mut evictions = Evictions::new(true, Arc::clone(&observer) as Arc<_>);
        for (evicted, total) in [(100, 0), (100, 0), (103, 3), (2, 5), (2, 5)] {
            let info = set_to(Some(9), Some("allkeys-lru"), evicted);
            let found = evictions.examine(&round(vec![heard(1, Ok(info))], vec![]));
            assert_eq!(found, None, "it is allowed");
            assert_eq!(observer.0.load(Ordering::Relaxed), total);
        }
    }
}
