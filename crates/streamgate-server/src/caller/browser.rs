//! Calls without a key, and the web pages that could make a browser send them.
//!
//! Where no key is asked for, being able to reach the address is the only credential, and a browser
//! on that machine or network can reach it on behalf of any page. Two checks keep pages of other
//! origins out:
//!
//! - **`Host`**, against DNS rebinding: if the name of a page resolves to this server, the browser
//!   regards both as one origin, and only `Host` still tells the name.
//! - **`Origin`**, against cross-site requests: a browser sends some requests without asking first
//!   (forms, beacons, images), so one that changes something must not come from another origin.
//!
//! A key makes both needless, because no browser adds it by itself. What is *not* here: which pages
//! may read answers ([`crate::routing::cors`]).

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::problem::{ApiError, Code, shortened};
use crate::settings::AllowedOrigins;
use crate::state::Gateway;

/// Tells own hosts and allowed origins from others.
#[derive(Debug)]
pub(crate) struct BrowserGuard {
    /// The address that the server listens on.
    listen: IpAddr,
    /// Origins whose pages may call; their hosts count as own hosts.
    allowed: AllowedOrigins,
}

/// What a browser says about where a request without `Origin` comes from.
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl BrowserGuard {
    /// For a server that listens on this address and allows these origins.
    pub(crate) fn new(listen: IpAddr, allowed: AllowedOrigins) -> Self {
        Self {
            listen: listen.to_canonical(),
            allowed,
        }
    }

    /// Whether this request without a key may be answered; `changes` says whether it would change
    /// something.
    ///
    /// # Errors
    /// 403 `forbidden`, with what the operator can do about it.
    pub(crate) fn check(&self, parts: &Parts, changes: bool) -> Result<(), ApiError> {
        if self.allowed == AllowedOrigins::Any {
            return Ok(());
        }
        // A target in absolute form names the host once more. Browsers never send one to a server.
        let target = parts.uri.authority().map(|authority| authority.as_str());
        let host = parts.headers.get(header::HOST);
        let is_routed_by_host = parts.extensions.get::<Gateway>().is_some();
        // No browser leaves `Host` out; health checks in HTTP/1.0 do.
        for host in [target, host.map(as_text)].into_iter().flatten() {
            if !is_routed_by_host && !self.is_own(host) {
                return Err(foreign_host(host));
            }
        }
        if changes && let Some(origin) = self.foreign_origin(&parts.headers) {
            return Err(foreign_origin(origin));
        }
        Ok(())
    }

    /// Whether this `Host` can only be this server's, or is one that the operator named.
    fn is_own(&self, host: &str) -> bool {
        let name = name_of(host);
        // A name without a dot cannot be registered: it is `localhost`, or one of the local network
        // (a container's, a service's, one of /etc/hosts).
        if !name.contains(['.', ':']) {
            return true;
        }
        let address = name.trim_start_matches('[').trim_end_matches(']').parse();
        if let Ok(address) = address
            && self.is_own_address(address)
        {
            return true;
        }
        is_below(name, "localhost") || self.is_allowed_host(name)
    }

    /// Whether a page at this address is served by this server. On other addresses than loopback,
    /// port mappings and NAT give a server addresses that it does not know; and a page at an
    /// address has no name that could be bound again.
    fn is_own_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || address == self.listen || !self.listen.is_loopback()
    }

    /// Whether an allowed origin has this host.
    fn is_allowed_host(&self, name: &str) -> bool {
        let AllowedOrigins::List(origins) = &self.allowed else {
            return false;
        };
        let hosts = origins.iter().filter_map(|origin| authority_of(origin));
        hosts
            .map(name_of)
            .any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The origin of the page that sends a request, if it is a foreign one.
    fn foreign_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return is_of_other_site(headers).then_some("of another site");
        };
        let host = headers.get(header::HOST).map(as_text);
        let is_same = authority_of(as_text(origin))
            .zip(host)
            .is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host));
        (!is_same && !self.allowed.allows(origin)).then_some(as_text(origin))
    }
}

/// Whether a browser says that another site made it send this request. For images and navigation,
/// which have no `Origin`; browsers say it only to addresses that they trust: https and loopback.
pub(crate) fn is_of_other_site(headers: &HeaderMap) -> bool {
    let site = headers.get(&SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    matches!(site, Some(b"cross-site" | b"same-site"))
}

/// Whether a method alone says that nothing is changed.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The value as text; `?.?`, which is no known host or origin, if it is not text.
fn as_text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?.?")
}

/// The authority of an origin: `player.example.com:8443`. `None` for `null`.
fn authority_of(origin: &str) -> Option<&str> {
    origin.split_once("://").map(|(_, authority)| authority)
}

/// A host without its port, and without the dot of the root at its end. An IPv6 address keeps its
/// brackets.
fn name_of(host: &str) -> &str {
    let name = match host.find(']') {
        Some(end) if host.starts_with('[') => &host[..=end],
        _ => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether the name is one in this domain.
fn is_below(name: &str, domain: &str) -> bool {
    let labels = name.len().checked_sub(domain.len());
    labels
        .and_then(|at| name.split_at_checked(at))
        .is_some_and(|(labels, end)| labels.ends_with('.') && end.eq_ignore_ascii_case(domain))
}

fn foreign_host(host: &str) -> ApiError {
    let host = shortened(host.to_owned());
    ApiError::new(
        Code::Forbidden,
        format!(
            "a call without an API key must be addressed to this server's own address or to \
             localhost, not to the Host {host:?}: the operator sets [[keys]], or names it in \
             cors.allowed_origins (\"https://{host}\")"
        ),
    )
    .with_cause(format_args!("no key, and a foreign Host {host:?}"))
}

fn foreign_origin(origin: &str) -> ApiError {
    let origin = shortened(origin.to_owned());
    ApiError::new(
        Code::Forbidden,
        format!(
            "a call without an API key must not come from a web page of another origin \
             ({origin:?}) if it changes something: the operator sets [[keys]], or names the origin \
             in cors.allowed_origins"
        ),
    )
    .with_cause(format_args!("no key, and a foreign Origin {origin:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(listen: &str, allowed: &[&str]) -> BrowserGuard {
        let allowed = match allowed {
            [] => AllowedOrigins::None,
            some => AllowedOrigins::List(some.iter().map(|&origin| origin.to_owned()).collect()),
        };
        BrowserGuard::new(listen.parse().unwrap(), allowed)
    }

    #[test]
    fn own_hosts_are_addresses_local_names_and_those_that_are_allowed() {
        let loopback = guard("127.0.0.1", &["https://Streams.example:8443"]);
        for own in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "app.localhost:3000",
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:80",
            "streamgate:8080",
            "x",
            "",
            "streams.example",
            "STREAMS.example:443",
            "streams.example.:80",
        ] {
            assert!(loopback.is_own(own), "{own}");
        }
        for foreign in [
            "rebind.example",
            "rebind.example:8080",
            "127.0.0.1.rebind.example",
            "localhost.rebind.example",
            "notlocalhost.example",
            "a.notlocalhost",
            "evil.streams.example",
            "203.0.113.7",
            "[2001:db8::1]:8080",
            "rebind.example@localhost:80",
            "?.?",
        ] {
            assert!(!loopback.is_own(foreign), "{foreign}");
        }
    }

    #[test]
    fn on_a_network_every_address_may_be_its_own_and_no_foreign_name_is() {
        for listen in ["0.0.0.0", "::", "10.0.0.7"] {
            let network = guard(listen, &[]);
            for own in [
                "10.0.0.7:8080",
                "192.168.1.5",
                "[fd00::7]:8080",
                "localhost",
            ] {
                assert!(network.is_own(own), "{listen}: {own}");
            }
            assert!(!network.is_own("rebind.example:8080"), "{listen}");
        }
        assert!(guard("::ffff:127.0.0.1", &[]).is_own("127.0.0.1"));
    }

    /// Whether a request with these headers comes from a foreign page; an empty one is not sent.
    fn is_foreign(guard: &BrowserGuard, origin: &str, host: &str, site: &str) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [("origin", origin), ("host", host), ("sec-fetch-site", site)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        guard.foreign_origin(&headers).is_some()
    }

    #[test]
    fn an_origin_is_foreign_unless_it_is_the_host_or_allowed() {
        let guard = guard("127.0.0.1", &["https://player.example"]);
        for (origin, host, site, expected) in [
            ("", "", "", false),
            ("", "localhost:80", "", false),
            ("http://localhost:80", "localhost:80", "", false),
            // A proxy in front speaks TLS.
            ("https://LOCALHOST", "localhost", "", false),
            ("http://localhost:3000", "localhost:80", "", true),
            ("https://player.example", "localhost", "", false),
            ("http://player.example", "localhost", "", true),
            ("https://evil.example", "localhost", "", true),
            ("null", "localhost", "", true),
            ("http://localhost", "", "", true),
            ("", "", "cross-site", true),
            ("", "", "same-site", true),
            ("", "", "same-origin", false),
            ("", "", "none", false),
            // The origin says more.
            ("https://player.example", "", "cross-site", false),
        ] {
            let is_foreign = is_foreign(&guard, origin, host, site);
            assert_eq!(is_foreign, expected, "{origin:?} {host:?} {site:?}");
        }
    }
}
