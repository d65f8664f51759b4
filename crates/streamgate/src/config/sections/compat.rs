//! `[compat]`: the languages of earlier systems.

use streamgate_core::Seconds;
use streamgate_core::bounds::{LEASE_MAX_S, LEASE_MIN_S};
use streamgate_server::{CompatSettings, DialectName};

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

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> CompatSettings {
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
        "Whether every dialect asks for an API key where there are [[keys]]. false opens all but concurrency-service to callers without a key: everybody who \
         can reach /compat/ may then start and end everybody's sessions, remove users and list \
         all of them.",
    );
    let default = CompatSettings::default();
    let dialects = reader.choices(dialects, &default.dialects, &DIALECT_WORDS);
    let mut root_words = vec![("none", None)];
    root_words.extend(DIALECT_WORDS.map(|(word, name)| (word, Some(name))));
    let root = reader.choice(root, default.root, &root_words);
    let lease_s = reader.whole(lease_s, default.lease.0, LEASE_MIN_S..=LEASE_MAX_S);
    // Keys that are set are asked for, unless somebody wrote that they are not.
    let require_key = reader.flag(require_key, default.require_key);
    if root.is_some_and(|root| !dialects.contains(&root)) {
        reader.wrong_here("root", "is not among compat.dialects");
    }
    CompatSettings {
        dialects,
        root,
        lease: Seconds(lease_s),
        require_key,
    }
}
