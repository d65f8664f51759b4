//! What differs between two readings of the settings, for a reload.

use std::collections::{BTreeMap, BTreeSet};

use super::Loaded;
use super::sections::store::StoreSettings;

/// Names of the settings whose values differ, as a file has them; API keys together are `keys`,
/// issuers are `issuers`.
pub(crate) fn changed(before: &Loaded, after: &Loaded) -> BTreeSet<String> {
    let (old, new) = (shown(before), shown(after));
    let paths = old.keys().chain(new.keys());
    let mut changed: BTreeSet<String> = paths
        .filter(|path| old.get(*path) != new.get(*path))
        .map(|path| {
            let mut lists = ["keys", "issuers"].into_iter();
            let list = lists.find(|list| {
                let rest = path.strip_prefix(list);
                rest.is_some_and(|rest| rest.starts_with('['))
            });
            list.unwrap_or(path).to_owned()
        })
        .collect();
    changed.extend(secrets_changed(before, after).map(str::to_owned));
    changed
}

/// The values by the names of their settings, as they are shown.
fn shown(loaded: &Loaded) -> BTreeMap<String, Option<&str>> {
    let is_real = loaded.declared.iter().filter(|it| !it.is_pattern);
    is_real
        .map(|it| (it.path.to_string(), it.value.as_deref()))
        .collect()
}

/// Settings that are not shown whole.
fn secrets_changed(before: &Loaded, after: &Loaded) -> impl Iterator<Item = &'static str> {
    let (old, new) = (&before.settings, &after.settings);
    let mut changed = Vec::new();
    if old.server.keys != new.server.keys {
        changed.push("keys");
    }
    // The same files can have other contents.
    if old.tokens.own.signing != new.tokens.own.signing {
        changed.push("tokens.signing_key_file");
    }
    if old.tokens.own.previous != new.tokens.own.previous {
        changed.push("tokens.previous_key_file");
    }
    if old.tokens.issuers != new.tokens.issuers {
        changed.push("issuers");
    }
    if old.traces.headers != new.traces.headers {
        changed.push("traces.headers");
    }
    if old.sentry.dsn != new.sentry.dsn {
        changed.push("sentry.dsn");
    }
    if let (StoreSettings::Redis(old), StoreSettings::Redis(new)) = (&old.store, &new.store) {
        if old.url != new.url {
            changed.push("store.url");
        }
        if old.sentinel_credentials.password != new.sentinel_credentials.password {
            changed.push("store.redis.sentinel_password");
        }
        // The same files can have other contents.
        if old.tls.authorities != new.tls.authorities {
            changed.push("store.redis.tls_ca_file");
        }
        if old.tls.client != new.tls.client {
            changed.push("store.redis.tls_cert_file");
        }
    }
    changed.into_iter()
}
