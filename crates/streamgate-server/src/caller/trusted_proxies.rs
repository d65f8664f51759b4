//! Trusted proxies: which peers' `X-Forwarded-For` is trusted for the client's address.
//!
//! The header is a list to which each proxy appends the address that it was called from. Whatever a
//! client put there itself stands further left. So the list is read from the right for as long as
//! the address at hand is that of a trusted proxy; the first that is not is the client.
//!
//! `Forwarded` (RFC 7239) is not read: proxies set one of the two headers and pass the other one on
//! as the client sent it, so a server that believes both believes the client. What is *not* here:
//! where the address of the peer comes from ([`crate::caller::client`]).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Most proxies in a row that are looked at. Chains are of two or three.
const HOPS_MAX: usize = 32;

/// Longest entry that can be an address with a zone and a port, in bytes.
const HOP_MAX_BYTES: usize = 80;

/// What stands before an IPv4 address among IPv6 addresses, in bits.
const MAPPED_BITS: u8 = 96;

/// The peers that are believed. None by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<Network>);

/// The addresses with a common prefix: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The first address; one of IPv4 is mapped into IPv6.
    first: u128,
    /// How many bits of it count, up to 128.
    bits: u8,
}

impl TrustedProxies {
    /// Believes the peers in these networks.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether no peer is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every peer of IPv4, or every peer, is believed: then clients choose their address.
    #[must_use]
    pub fn is_everyone(&self) -> bool {
        self.0.iter().any(|network| {
            network.bits <= MAPPED_BITS && network.contains(Ipv4Addr::LOCALHOST.into())
        })
    }

    /// Whether this peer is believed.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The client of a request with these headers that came from this peer.
    ///
    /// An entry that is no address ends the search at the proxy that passed it on.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.is_empty() {
            return client;
        }
        let lists = headers.get_all(&X_FORWARDED_FOR).iter().rev();
        let hops = lists.flat_map(|list| list.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(HOPS_MAX) {
            if !self.contains(client) {
                break;
            }
            let Some(address) = address_of(hop) else {
                break;
            };
            client = address;
        }
        client
    }
}

/// Whether a request says for whom it was forwarded.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(&X_FORWARDED_FOR)
}

/// The address in an entry of the header: alone, in brackets, with a port or with a zone.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let hop = hop.trim_ascii();
    let text = str::from_utf8(hop)
        .ok()
        .filter(|text| text.len() <= HOP_MAX_BYTES)?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return of_ipv6(address).filter(|_| is_whole);
    }
    if let Some((address, port)) = text.split_once(':')
        && !port.contains(':')
    {
        // One colon: IPv4 with a port.
        let address = address.parse().ok().map(IpAddr::V4);
        return address.filter(|_| is_port(port));
    }
    text.parse().ok().map(IpAddr::V4).or_else(|| of_ipv6(text))
}

/// An IPv6 address, without its zone: zones have a meaning only on the host that wrote it.
fn of_ipv6(text: &str) -> Option<IpAddr> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    let address: Ipv6Addr = address.parse().ok()?;
    Some(IpAddr::V6(address).to_canonical())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// An address among those of IPv6.
fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        (bits_of(address) ^ self.first) & self.mask() == 0
    }

    fn mask(self) -> u128 {
        u128::MAX
            .checked_shl(128 - u32::from(self.bits))
            .unwrap_or(0)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("must be addresses or networks such as \"10.0.0.0/8\", is {text:?}");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (least, most) = if address.is_ipv4() {
            (MAPPED_BITS, 32)
        } else {
            (0, 128)
        };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(wrong)?,
        };
        let network = Self {
            first: bits_of(address),
            bits: least + bits,
        };
        let first = network.first & network.mask();
        if first == network.first {
            return Ok(network);
        }
        let meant = Self { first, ..network };
        Err(format!(
            "{text:?} has address bits behind its prefix: {meant} is the whole network"
        ))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.first);
        match address
            .to_ipv4_mapped()
            .filter(|_| self.bits >= MAPPED_BITS)
        {
            Some(address) => write!(to, "{address}/{}", self.bits - MAPPED_BITS),
            None => write!(to, "{address}/{}", self.bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|text| text.parse().unwrap()).collect())
    }

    /// The client of a request from this peer with these headers.
    fn client(trusted: &TrustedProxies, peer: &str, lists: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", list.to_vec().try_into().unwrap());
        }
        let client = trusted.client(peer.parse().unwrap(), &headers);
        client.to_string()
    }

    #[test]
    fn no_peer_is_believed_unless_trusted() {
        let list: &[&[u8]] = &[b"198.51.100.9"];
        assert_eq!(client(&trusted(&[]), "127.0.0.1", list), "127.0.0.1");
        let trusted = trusted(&["10.0.0.0/8"]);
        assert_eq!(client(&trusted, "11.0.0.1", list), "11.0.0.1");
        assert_eq!(client(&trusted, "10.0.0.1", list), "198.51.100.9");
        assert_eq!(client(&trusted, "::ffff:10.0.0.1", list), "198.51.100.9");
    }

    #[test]
    fn the_list_is_read_from_the_right_and_what_clients_wrote_is_not_believed() {
        let trusted = trusted(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);
        for (lists, expected) in [
            (&[&b"1.1.1.1, 198.51.100.9"[..]][..], "198.51.100.9"),
            (&[b"1.1.1.1, 198.51.100.9, 192.0.2.7"], "198.51.100.9"),
            (
                &[b"1.1.1.1, 198.51.100.9,10.1.1.1 , 192.0.2.7"],
                "198.51.100.9",
            ),
            // The trusted address further left was written by the client.
            (&[b"10.0.0.9, 198.51.100.9, 10.1.1.1"], "198.51.100.9"),
            // Several headers are one list, in the order in which they came.
            (&[b"1.1.1.1", b"198.51.100.9", b"10.1.1.1"], "198.51.100.9"),
            (&[b"1.1.1.1, 10.1.1.1", b"192.0.2.7,10.2.2.2"], "1.1.1.1"),
            // A client within the trusted networks.
            (&[b"10.3.3.3"], "10.3.3.3"),
            (&[b"2001:db8::5"], "2001:db8::5"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(client(&trusted, "10.0.0.1", lists), expected, "{lists:?}");
        }
    }

    #[test]
    fn an_entry_is_an_address_with_or_without_brackets_port_and_zone() {
        let trusted = trusted(&["10.0.0.0/8"]);
        for (entry, expected) in [
            (&b"198.51.100.9:443"[..], "198.51.100.9"),
            (b"[2001:db8::9]", "2001:db8::9"),
            (b"[2001:db8::9]:8080", "2001:db8::9"),
            (b"2001:db8::9", "2001:db8::9"),
            (b"fe80::1%eth0", "fe80::1"),
            (b"[fe80::1%25eth0]:80", "fe80::1"),
            (b"::ffff:198.51.100.9", "198.51.100.9"),
            (b"[::ffff:198.51.100.9]:1", "198.51.100.9"),
            (b"\t198.51.100.9 ", "198.51.100.9"),
        ] {
            assert_eq!(
                client(&trusted, "10.0.0.1", &[entry]),
                expected,
                "{entry:?}"
            );
        }
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_search_at_the_proxy_that_passed_it_on() {
        let trusted = trusted(&["10.0.0.0/8"]);
        for entry in [
            &b""[..],
            b" ",
            b"unknown",
            b"_hidden",
            b"for=198.51.100.9",
            b"198.51.100",
            b"198.51.100.256",
            b"198.51.100.9:",
            b"198.51.100.9:70000",
            b"198.51.100.9:http",
            b"[198.51.100.9]",
            b"[2001:db8::9",
            b"[2001:db8::9]x",
            b"\"198.51.100.9\"",
            b"198.51.100.9 1.1.1.1",
            b"\xff\xfe",
            &[b'1'; 5_000],
        ] {
            let list = [b"1.1.1.1,", entry, b", 10.7.7.7"].concat();
            assert_eq!(
                client(&trusted, "10.0.0.1", &[&list]),
                "10.7.7.7",
                "{entry:?}"
            );
        }
    }

    #[test]
    fn a_thousand_entries_are_read_up_to_a_bound() {
        let trusted = trusted(&["10.0.0.0/8"]);
        let all_trusted = ["10.9.9.9"; 1_000].join(",");
        let behind = format!("198.51.100.9,{all_trusted}");
        assert_eq!(
            client(&trusted, "10.0.0.1", &[behind.as_bytes()]),
            "10.9.9.9"
        );
        let before = format!("{all_trusted},198.51.100.9");
        assert_eq!(
            client(&trusted, "10.0.0.1", &[before.as_bytes()]),
            "198.51.100.9"
        );
    }

    #[test]
    fn a_network_is_an_address_or_a_prefix_without_bits_behind_it() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown);
        }
        for wrong in [
            "",
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/",
            "fe80::1%eth0",
            "10.0.0.1:80",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let error = "10.0.0.1/8".parse::<Network>().unwrap_err();
        assert!(error.contains("10.0.0.0/8 is the whole network"), "{error}");
    }

    #[test]
    fn a_prefix_that_covers_all_of_ipv4_is_everyone() {
        assert!(trusted(&["10.0.0.0/8", "0.0.0.0/0"]).is_everyone());
        assert!(trusted(&["::/0"]).is_everyone());
        assert!(!trusted(&["10.0.0.0/8", "2000::/3"]).is_everyone());
        assert!(trusted(&["::/0"]).contains([127, 0, 0, 1].into()));
        assert!(!trusted(&["0.0.0.0/0"]).contains("::1".parse().unwrap()));
    }
}
