//! `[[keys]]`: the API keys.

use std::collections::BTreeSet;

use streamgate_server::{ApiKey, Keys, Scope, parse_hash};

use crate::config::entry::KeyPath;
use crate::config::reader::{Ask, Reader};
use crate::config::value::{not_empty, quoted};

const NAME: Ask = Ask("name", "The name of the key in logs.");
const SHA256: Ask = Ask(
    "sha256",
    "The SHA-256 of the key. The key itself is never stored: `streamgate key new` makes a key and \
     prints this table.",
);
const SCOPE: Ask = Ask(
    "scope",
    "What the key may do. \"player\": start, renew, stop and list sessions of a user; \"service\": \
     also set plans, limits and profiles; \"admin\": everything.",
);
const TENANT: Ask = Ask(
    "tenant",
    "The organisation whose users the key may address.",
);

/// The words for scopes.
pub(crate) const SCOPE_WORDS: [(&str, Scope); 3] = [
    (Scope::Player.as_str(), Scope::Player),
    (Scope::Service.as_str(), Scope::Service),
    (Scope::Admin.as_str(), Scope::Admin),
];

/// Reads every key.
pub(crate) fn read(reader: &mut Reader) -> Keys {
    reader.section(
        "[[keys]]",
        "API keys. Without any, every client that reaches the address may do everything.",
    );
    reader.example(&[
        "[[keys]]",
        "name = \"players\"",
        "sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
        "scope = \"player\"",
    ]);
    reader.pattern(read_key);
    let mut entries: Vec<ApiKey> = Vec::new();
    for index in 0..reader.items("keys") {
        reader.enter(KeyPath::new("keys").item(index));
        if let Some(key) = read_key(reader) {
            report_repeated(reader, &key, &entries);
            entries.push(key);
        }
    }
    Keys::new(entries)
}

fn read_key(reader: &mut Reader) -> Option<ApiKey> {
    let name = reader.text(NAME, "text", None, not_empty);
    let show = |hash: &[u8; 32]| quoted(&format!("{:02x}{:02x}{:02x}…", hash[0], hash[1], hash[2]));
    let takes = "64 hexadecimal digits".to_owned();
    let sha256 = reader.read(SHA256, takes, None, show, |value| {
        // Not shown: it may be the key itself, by mistake.
        let hash = value.text().ok().and_then(parse_hash);
        hash.ok_or_else(|| {
            "must be the SHA-256 of a key, 64 hexadecimal digits; `streamgate key new` prints it"
                .to_owned()
        })
    });
    let scope = reader.choice_or(SCOPE, None, &SCOPE_WORDS);
    let tenant = reader.tenant(TENANT);
    for (Ask(field, _), is_there) in [
        (NAME, name.is_some()),
        (SHA256, sha256.is_some()),
        (SCOPE, scope.is_some()),
    ] {
        if !is_there {
            reader.missing(field);
        }
    }
    Some(ApiKey {
        name: name?.into(),
        sha256: sha256?,
        scope: scope?,
        tenant: tenant?,
    })
}

/// Reports a repeated name, which is ambiguous in logs, and a repeated hash, which has two scopes.
fn report_repeated(reader: &mut Reader, key: &ApiKey, before: &[ApiKey]) {
    let names: BTreeSet<&str> = before.iter().map(|key| &*key.name).collect();
    if names.contains(&*key.name) {
        reader.wrong_here(NAME.0, format!("names a second key {:?}", key.name));
    }
    if before.iter().any(|other| other.sha256 == key.sha256) {
        reader.wrong_here(SHA256.0, "is the hash of an earlier key");
    }
}
