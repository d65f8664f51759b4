//! `[http]`: connections and timeouts.

use std::num::NonZeroU32;

use streamgate_server::{HttpSettings, Network, TrustedProxies};

use crate::config::reader::{Ask, Reader};

/// Most connections of one process.
const CONNECTIONS_MAX: u32 = 1_000_000;

/// Longest timeout: an hour.
const SECONDS_MAX: u32 = 3_600;

const HEADER_TIMEOUT_S: Ask = Ask(
    "header_timeout_s",
    "The idle timeout: time from the end of an answer (or from connecting) to the end of the \
     next request head. It should exceed the heartbeat interval, so that players keep their \
     connection, and the idle timeout of a load balancer in front, so that the balancer never \
     reuses a closing connection.",
);

const TRUSTED_PROXIES: Ask = Ask(
    "trusted_proxies",
    "Addresses and networks of the proxies in front, such as [\"10.0.0.0/8\", \"::1\"]. Only their \
     X-Forwarded-For is believed: the client is the first address from the right that is not in \
     this list. Its address counts for limits by address and is in the log at debug. The header \
     Forwarded is not read.",
);

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> HttpSettings {
    reader.section("[http]", "Connections and timeouts.");
    let default = HttpSettings::default();
    let max_connections = Ask(
        "max_connections",
        "Maximum number of open connections; further ones wait until one closes. Each takes a file \
         descriptor: at start the soft limit is raised to the hard limit, and a lower limit of \
         files takes precedence.",
    );
    let max_connections_per_peer = Ask(
        "max_connections_per_peer",
        "Maximum number of connections of one peer address (one /64 for IPv6); further ones are \
         closed. 0 is no limit. Behind a proxy all connections share its address, \
         whatever http.trusted_proxies says.",
    );
    let head_max_bytes = Ask(
        "head_max_bytes",
        "Maximum size of a request head; longer ones get 431. Each connection may keep a buffer of \
         this size.",
    );
    let bodies_max_bytes = Ask(
        "bodies_max_bytes",
        "Memory for incomplete request bodies, all connections together. Beyond it requests get \
         503 with Retry-After, except those whose body arrives in one piece with the head.",
    );
    let body_timeout_s = Ask(
        "body_timeout_s",
        "Maximum time to receive the body of a request, in seconds.",
    );
    let write_timeout_s = Ask(
        "write_timeout_s",
        "Maximum time in which a client takes nothing of what was sent to it, in seconds; then its \
         connection is closed. It is also how a client is noticed that vanished without closing \
         its connection: an open event stream sends at least a comment every 15 seconds.",
    );
    let drain_s = Ask(
        "drain_s",
        "How long to keep serving after SIGTERM or SIGINT, with /readyz 503 and `connection: \
         close` on every answer, so that a load balancer takes the node out first. Set it a little \
         longer than the balancer's checks take; 0 without a balancer.",
    );
    let shutdown_grace_s = Ask(
        "shutdown_grace_s",
        "Maximum time for running requests to finish after SIGTERM or SIGINT and drain_s.",
    );
    let head_least = u32::try_from(HttpSettings::HEAD_MIN_BYTES).unwrap_or(u32::MAX);
    HttpSettings {
        max_connections: reader.size(
            max_connections,
            default.max_connections,
            1..=CONNECTIONS_MAX,
        ),
        max_connections_per_peer: NonZeroU32::new(reader.whole(
            max_connections_per_peer,
            0,
            0..=CONNECTIONS_MAX,
        )),
        trusted_proxies: trusted_proxies(reader),
        head_max_bytes: reader.size(head_max_bytes, default.head_max_bytes, head_least..=1 << 20),
        bodies_max_bytes: reader.size(
            bodies_max_bytes,
            default.bodies_max_bytes,
            1 << 20..=u32::MAX,
        ),
        header_timeout: reader.seconds(HEADER_TIMEOUT_S, default.header_timeout, 1..=SECONDS_MAX),
        body_timeout: reader.seconds(body_timeout_s, default.body_timeout, 1..=SECONDS_MAX),
        write_timeout: reader.seconds(write_timeout_s, default.write_timeout, 1..=SECONDS_MAX),
        drain: reader.seconds(drain_s, default.drain, 0..=SECONDS_MAX),
        shutdown_grace: reader.seconds(shutdown_grace_s, default.shutdown_grace, 0..=SECONDS_MAX),
    }
}

/// Reads the proxies in front.
fn trusted_proxies(reader: &mut Reader) -> TrustedProxies {
    let texts = reader.texts(TRUSTED_PROXIES, "list of addresses and networks", |text| {
        text.parse::<Network>().map(drop)
    });
    let networks = texts.iter().filter_map(|text| text.parse().ok());
    TrustedProxies::new(networks.collect())
}
