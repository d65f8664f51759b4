//! What differs between two readings of the settings, for a reload.

use std::collections::{BTreeMap, BTreeSet};

use super::Loaded;
use super::layers::list_of;

/// Names of the settings whose values differ, as a file has them; API keys together are `keys`,
/// issuers are `issuers`.
pub(crate) fn changed(before: &Loaded, after: &Loaded) -> BTreeSet<String> {
    let (old, new) = (shown(before), shown(after));
    let paths = old.keys().chain(new.keys());
    let mut changed: BTreeSet<String> = paths
        .filter(|path| old.get(*path) != new.get(*path))
        .map(|path| list_of(path).unwrap_or(path).to_owned())
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
    changed.extend(old.store.hidden_changes(&new.store));
    changed.into_iter()
}
