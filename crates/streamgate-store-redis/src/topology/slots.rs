//! The slot map of a cluster: which server has which slots.

use std::collections::HashSet;

use redis::Value;

use crate::keys;
use crate::url::Address;

/// A range of slots and its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Address,
}

/// The slots of a cluster, as one of its servers sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SlotMap {
    /// In order.
    ranges: Vec<Range>,
    replicas: Vec<Address>,
}

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS` of the server `asked`.
    pub(super) fn read(answer: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(answer) = answer else {
            return None;
        };
        let mut map = Self::default();
        for range in answer {
            let Value::Array(range) = range else {
                return None;
            };
            let [Value::Int(first), Value::Int(last), servers @ ..] = range.as_slice() else {
                return None;
            };
            let mut servers = servers.iter().map(|server| read_server(server, asked));
            map.ranges.push(Range {
                first: u16::try_from(*first).ok()?,
                last: u16::try_from(*last).ok()?,
                primary: servers.next()??,
            });
            map.replicas.extend(servers.flatten());
        }
        map.ranges.sort_by_key(|range| range.first);
        Some(map)
    }

    /// Whether no server has a slot.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The primary of a slot; `None` if it has none.
    pub(super) fn owner(&self, slot: u16) -> Option<&Address> {
        let behind = self.ranges.partition_point(|range| range.first <= slot);
        let range = &self.ranges[behind.checked_sub(1)?];
        (slot <= range.last).then_some(&range.primary)
    }

    /// Every primary once, with its first slot, in the order of these.
    pub(super) fn primaries(&self) -> Vec<(u16, &Address)> {
        let mut primaries: Vec<(u16, &Address)> = Vec::new();
        for range in &self.ranges {
            if !primaries.iter().any(|(_, known)| **known == range.primary) {
                primaries.push((range.first, &range.primary));
            }
        }
        primaries
    }

    /// The moves of slots since the map `before`: from which primary to which.
    pub(super) fn moves<'a>(&'a self, before: &'a Self) -> HashSet<(&'a Address, &'a Address)> {
        if self.ranges == before.ranges {
            return HashSet::new();
        }
        let owners = |slot| Some((before.owner(slot)?, self.owner(slot)?));
        let owners = (0..keys::SLOTS).filter_map(owners);
        owners.filter(|(from, to)| from != to).collect()
    }

    /// All servers, primaries first.
    pub(super) fn servers(&self) -> impl Iterator<Item = &Address> {
        let primaries = self.primaries().into_iter().map(|(_, primary)| primary);
        primaries.chain(&self.replicas)
    }
}

/// Reads `[host, port, …]`. A server that does not know its own name is where it was asked.
fn read_server(server: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(server) = server else {
        return None;
    };
    let [host, Value::Int(port), ..] = server.as_slice() else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        Value::Nil => "",
        _ => return None,
    };
    let host = if host.is_empty() || host == "?" {
        &asked.host
    } else {
        host
    };
    Some(Address::new(host, u16::try_from(*port).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl SlotMap {
        /// A map of these ranges, without replicas: first slot, last slot, primary.
        pub(in crate::topology) fn of(ranges: &[(u16, u16, &Address)]) -> Self {
            let ranges = ranges.iter().map(|&(first, last, primary)| Range {
                first,
                last,
                primary: primary.clone(),
            });
            Self {
                ranges: ranges.collect(),
                replicas: Vec::new(),
            }
        }
    }

    fn server(host: &str, port: i64) -> Value {
        let host = Value::BulkString(host.as_bytes().to_vec());
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![host, Value::Int(port), id])
    }

    fn range(first: i64, last: i64, servers: Vec<Value>) -> Value {
        let mut range = vec![Value::Int(first), Value::Int(last)];
        range.extend(servers);
        Value::Array(range)
    }

    #[test]
    fn slots_have_their_primary_and_gaps_have_none() {
        let answer = Value::Array(vec![
            range(100, 200, vec![server("b", 2)]),
            range(0, 49, vec![server("", 1), server("r", 9)]),
            range(300, 16_383, vec![server("a", 1)]),
            range(50, 50, vec![server("b", 2)]),
        ]);
        let asked = Address::new("here", 7);
        let map = SlotMap::read(&answer, &asked).unwrap();
        let owner = |slot| map.owner(slot).map(ToString::to_string);
        assert_eq!(owner(0).as_deref(), Some("here:1"));
        assert_eq!(owner(49).as_deref(), Some("here:1"));
        assert_eq!(owner(50).as_deref(), Some("b:2"));
        assert_eq!(owner(51), None);
        assert_eq!(owner(200).as_deref(), Some("b:2"));
        assert_eq!(owner(250), None);
        assert_eq!(owner(16_383).as_deref(), Some("a:1"));
        let first_slots: Vec<u16> = map.primaries().iter().map(|(first, _)| *first).collect();
        assert_eq!(first_slots, [0, 50, 300]);
        let servers: Vec<String> = map.servers().map(ToString::to_string).collect();
        assert_eq!(servers, ["here:1", "b:2", "a:1", "r:9"]);
        assert_eq!(SlotMap::default().owner(0), None);
    }

    #[test]
    fn moves_are_of_slots_that_have_another_primary_than_before() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|host| Address::new(host, 1));
        let before = SlotMap::of(&[(0, 99, &a), (100, 199, &b), (200, 299, &c)]);
        assert_eq!(before.moves(&before), HashSet::new());
        // Half of b goes to c, one slot of c to a, and slots without a server get one.
        let after = SlotMap::of(&[
            (0, 99, &a),
            (100, 149, &b),
            (150, 298, &c),
            (299, 299, &a),
            (300, 400, &d),
            (500, 500, &b),
        ]);
        assert_eq!(after.moves(&before), HashSet::from([(&b, &c), (&c, &a)]));
        assert_eq!(before.moves(&SlotMap::default()), HashSet::new());
    }

    #[test]
    fn what_is_no_map_is_refused() {
        let asked = Address::new("here", 7);
        for answer in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 1, vec![])]),
            Value::Array(vec![range(-1, 1, vec![server("a", 1)])]),
            Value::Array(vec![range(0, 1, vec![server("a", 70_000)])]),
        ] {
            assert_eq!(SlotMap::read(&answer, &asked), None);
        }
    }
}
