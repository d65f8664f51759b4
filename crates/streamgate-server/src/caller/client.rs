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

/// How many bits of an IPv6 address name one client: one machine can use any address of its
/// network.
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

/// What kind of address a client has, for lines that must not name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressClass {
    /// This machine.
    Loopback,
    /// A network that is not routed on the internet.
    Private,
    /// Any other.
    Public,
}

impl AddressClass {
    /// The class of the address of the client of the request with these headers; `None` if it came
    /// from no connection.
    pub(crate) fn of_client(trusted: &TrustedProxies, headers: &HeaderMap) -> Option<Self> {
        address(trusted, headers).map(Self::of)
    }

    fn of(address: IpAddr) -> Self {
        let is_private = match address.to_canonical() {
            address if address.is_loopback() => return Self::Loopback,
            IpAddr::V4(address) => {
                // 100.64.0.0/10 is behind the NAT of a carrier, or a network of a cloud.
                let is_shared = address.to_bits() >> 22 == 0x0191;
                address.is_private() || address.is_link_local() || is_shared
            }
            IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
        };
        if is_private {
            Self::Private
        } else {
            Self::Public
        }
    }

    /// The word for it in logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_this_machine_of_a_private_network_or_public() {
        for (address, class) in [
            ("127.3.2.1", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("10.1.2.3", "private"),
            ("172.31.0.1", "private"),
            ("192.168.0.1", "private"),
            ("169.254.1.1", "private"),
            ("100.64.0.1", "private"),
            ("100.127.255.255", "private"),
            ("fd00::1", "private"),
            ("fe80::1", "private"),
            ("100.63.255.255", "public"),
            ("100.128.0.0", "public"),
            ("172.32.0.1", "public"),
            ("203.0.113.1", "public"),
            ("2001:db8::1", "public"),
        ] {
            assert_eq!(
                AddressClass::of(address.parse().unwrap()).as_str(),
                class,
                "{address}"
            );
        }
    }

    #[test]
    fn a_network_is_counted_as_one_only_for_ipv6() {
        let network = |address: &str| network_of(address.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
