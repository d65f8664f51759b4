//! Counts the connections of each peer address, so that one client cannot take all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::caller::client::network_of;

/// Counts the connections of each peer, where that is bounded.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    max: Option<NonZeroU32>,
    open: Open,
}

/// The open connections of each peer that has any.
type Open = Arc<Mutex<HashMap<IpAddr, u32>>>;

/// A counted connection; dropping it ends the count.
#[derive(Debug)]
pub(crate) struct Counted {
    peer: IpAddr,
    open: Open,
}

/// The peer has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Peers {
    /// At most `max` connections of each peer; `None`: no bound, and nothing is counted.
    pub(crate) fn new(max: Option<NonZeroU32>) -> Self {
        Self {
            max,
            open: Arc::default(),
        }
    }

    /// Counts one more connection.
    ///
    /// # Errors
    /// [`TooMany`] if the peer has as many as it may.
    pub(crate) fn admit(&self, peer: IpAddr) -> Result<Option<Counted>, TooMany> {
        let Some(max) = self.max else {
            return Ok(None);
        };
        let peer = network_of(peer);
        let mut open = self.open.lock();
        let count = open.entry(peer).or_default();
        if *count >= max.get() {
            return Err(TooMany);
        }
        *count += 1;
        drop(open);
        let open = Arc::clone(&self.open);
        Ok(Some(Counted { peer, open }))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            // A peer without connections takes no memory.
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_has_at_most_so_many_connections_and_others_do_not_count() {
        let peers = Peers::new(NonZeroU32::new(2));
        let one = address("192.0.2.1");
        let first = peers.admit(one).unwrap();
        let _second = peers.admit(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(peers.admit(one).unwrap_err(), TooMany);
        let other = peers.admit(address("192.0.2.2")).unwrap();
        drop(first);
        let _third = peers.admit(one).unwrap();
        assert_eq!(peers.admit(one).unwrap_err(), TooMany);
        drop(other);
        assert_eq!(peers.open.lock().len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        let peers = Peers::new(NonZeroU32::new(1));
        let _one = peers.admit(address("2001:db8::1")).unwrap();
        assert_eq!(peers.admit(address("2001:db8::2")).unwrap_err(), TooMany);
        assert!(peers.admit(address("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let peers = Peers::new(None);
        assert!(peers.admit(address("192.0.2.1")).unwrap().is_none());
    }
}
