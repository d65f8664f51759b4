//! The client of the request that is being answered: its address, and what limits count as one
//! address.
//!
//! The peer is known to the task that answers and is read where it is needed, which for a valid key
//! is nowhere. What is *not* here: which proxies are believed ([`crate::caller::trusted_proxies`]).

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use tokio::task::futures::TaskLocalFuture;

use crate::caller::trusted_proxies::TrustedProxies;

/// How many bits of an IPv6 address name one client: one machine can use any address of its network.
const IPV6_PREFIX: u32 = 64;

tokio::task_local! {
    /// The peer of the connection that the request came on.
    static PEER: IpAddr;
}

/// Runs what answers a request of this peer.
pub(crate) fn of_peer<F: Future>(peer: IpAddr, answer: F) -> TaskLocalFuture<IpAddr, F> {
    PEER.scope(peer, answer)
}

/// The address of the client of the request with these headers; `None` if it came from no
/// connection, as in tests.
pub(crate) fn address(trusted: &TrustedProxies, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = PEER.try_with(|peer| *peer).ok()?;
    Some(trusted.client(peer, headers))
}

/// Whether the peer says for whom it asks, and is not trusted to.
pub(crate) fn is_unbelieved_proxy(trusted: &TrustedProxies, headers: &HeaderMap) -> bool {
    let is_trusted = PEER
        .try_with(|peer| trusted.contains(*peer))
        .unwrap_or(true);
    !is_trusted && super::trusted_proxies::is_forwarded(headers)
}

/// What counts as one address: one of IPv4, or the network of one of IPv6.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - IPV6_PREFIX);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_counted_as_one_only_for_ipv6() {
        let network = |address: &str| network_of(address.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
