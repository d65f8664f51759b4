//! `[compat]`: the languages of earlier systems.

use std::net::IpAddr;

use streamgate_core::Seconds;
use streamgate_core::bounds::{LEASE_MAX_S, LEASE_MIN_S};
use streamgate_server::{CompatSettings, DialectName, Keys};

use crate::config::reader::{Ask, Reader};

/// The words for dialects.
pub(crate) const DIALECT_WORDS: [(&str, DialectName); 5] = {
    let [a, b, c, d, e] = DialectName::ALL;
    [
        (a.as_str(), a),
        (b.as_str(), b),
        (c.as_str(), c),
        (d.as_str(), d),
        (e.as_str(), e),
    ]
};

/// Reads the section; who has keys, and who can reach the address, decides a default.
pub(crate) fn read(reader: &mut Reader, keys: &Keys, listen: IpAddr) -> CompatSettings {
    reader.section(
        "[compat]",
        "Dialects: the languages of earlier systems, for clients that move over \
         (docs/migrating.md). Each is mounted under /compat/NAME/.",
    );
    let dialects = Ask("dialects", "The dialects that are spoken; [] for none.");
    let root = Ask(
        "root",
        "The dialect that is also mounted at the root, for clients that cannot add a path. \
         /openapi.json is then its document; Streamgate's own stays at /docs/openapi.json.",
    );
    let lease_s = Ask(
        "lease_s",
        "How long a session holds its slot after its last call in a dialect, where there are no \
         heartbeats, in seconds.",
    );
    let require_key = Ask(
        "require_key",
        "Whether every dialect asks for an API key. Unless set, they do where there are [[keys]] \
         and the address is not a loopback one; set it where a proxy on this machine lets others \
         in. The dialect concurrency-service asks for one wherever there are [[keys]].",
    );
    let default = CompatSettings::default();
    let dialects = reader.choices(dialects, &default.dialects, &DIALECT_WORDS);
    let mut root_words = vec![("none", None)];
    root_words.extend(DIALECT_WORDS.map(|(word, name)| (word, Some(name))));
    let root = reader.choice(root, default.root, &root_words);
    let lease_s = reader.whole(lease_s, default.lease.0, LEASE_MIN_S..=LEASE_MAX_S);
    let is_exposed = !keys.is_open() && !listen.to_canonical().is_loopback();
    let require_key = reader.flag(require_key, is_exposed);
    if root.is_some_and(|root| !dialects.contains(&root)) {
        reader.wrong_here("root", "is not among compat.dialects");
    }
    if require_key && keys.is_open() {
        reader.wrong_here(
            "require_key",
            "is true, and there are no [[keys]] to ask for",
        );
    }
    CompatSettings {
        dialects,
        root,
        lease: Seconds(lease_s),
        require_key,
    }
}
