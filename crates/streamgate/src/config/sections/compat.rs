//! `[compat]` and `[compat.NAME]`: dialects, the HTTP APIs of earlier systems.

use std::collections::BTreeMap;

use streamgate_core::Seconds;
use streamgate_core::bounds::{LEASE_MAX_S, LEASE_MIN_S};
use streamgate_server::{CompatSettings, DialectName, DialectSettings};

use crate::config::entry::KeyPath;
use crate::config::reader::{Ask, Reader};

/// The words for dialects.
pub(crate) fn dialect_words() -> [(&'static str, DialectName); DialectName::ALL.len()] {
    DialectName::ALL.map(|name| (name.as_str(), name))
}

const LEASE_OF_DIALECT_S: Ask = Ask(
    "lease_s",
    "How long a session started through this dialect holds its slot after its last call, in \
     seconds. Unless set, compat.lease_s.",
);

/// Reads both sections.
pub(crate) fn read(reader: &mut Reader) -> CompatSettings {
    reader.section(
        "[compat]",
        "Dialects: the HTTP APIs of earlier systems, whose clients then need only another base URL \
         (docs/migrating.md). Each is mounted under /compat/NAME/.",
    );
    let dialects = Ask("dialects", "The dialects that are served; [] for none.");
    let root = Ask(
        "root",
        "The dialect that is also mounted at the root, for clients that cannot add a path. \
         /openapi.json is then its document; Streamgate's own stays at /docs/openapi.json.",
    );
    let lease_s = Ask(
        "lease_s",
        "How long a session started through a dialect holds its slot after its last call, in \
         seconds: clients of dialects send no heartbeats. Imported sessions have the same lease.",
    );
    let require_key = Ask(
        "require_key",
        "Whether every dialect requires an API key if there are [[keys]]. false opens all but \
         concurrency-service to callers without a key: anyone who can reach /compat/ can then \
         start and end any session, remove users and list all of them.",
    );
    let default = CompatSettings::default();
    let dialects = reader.choices(dialects, &default.dialects, &dialect_words());
    let mut root_words = vec![("none", None)];
    root_words.extend(dialect_words().map(|(word, name)| (word, Some(name))));
    let root = reader.choice(root, default.root, &root_words);
    let lease_s = reader.whole(lease_s, default.lease.0, LEASE_MIN_S..=LEASE_MAX_S);
    let require_key = reader.flag(require_key, default.require_key);
    if root.is_some_and(|root| !dialects.contains(&root)) {
        reader.wrong_here("root", "is not among compat.dialects");
    }
    CompatSettings {
        dialects,
        root,
        lease: Seconds(lease_s),
        require_key,
        by_dialect: read_by_dialect(reader),
    }
}

/// Reads the table of each dialect.
fn read_by_dialect(reader: &mut Reader) -> BTreeMap<DialectName, DialectSettings> {
    reader.section(
        "[compat.NAME]",
        "Settings of a single dialect. The environment variable of the one below is \
         STREAMGATE_COMPAT_USER_STREAMS_LEASE_S.",
    );
    reader.example(&["[compat.user-streams]", "lease_s = 3600"]);
    let read = |reader: &mut Reader| {
        let lease_s = reader.whole_or_none(LEASE_OF_DIALECT_S, LEASE_MIN_S..=LEASE_MAX_S);
        let lease = lease_s.map(Seconds);
        DialectSettings { lease }
    };
    reader.pattern(read);
    let of = |name: DialectName| {
        reader.enter(KeyPath::new("compat").child(name.as_str()));
        (name, read(reader))
    };
    DialectName::ALL.map(of).into()
}
