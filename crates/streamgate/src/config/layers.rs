//! The sources of settings, layered: file, environment, flags.
//!
//! A flag wins over a variable, a variable over the file. A list (`keys`, `issuers`) is replaced as
//! a whole by the stronger source; tables (`plans`) are merged entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entries, Entry, KeyPath, Origin, Problem, VARIABLE_PREFIX};
use super::file::{entries_of, entries_of_inline};
use super::foreign::is_foreign;
use super::value::Value;

/// Everything that can hold settings, as it was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// The name and text of the configuration file.
    pub(crate) file: Option<(String, String)>,
    /// The environment variables that begin with `STREAMGATE_`, and `RUST_LOG`.
    pub(crate) variables: BTreeMap<String, String>,
    /// Flags: the path of the setting, its value, and how the flag is called.
    pub(crate) flags: Vec<(KeyPath, String, String)>,
}

/// Variables that are no settings: the client commands and the place of the file.
const OTHER_VARIABLES: [&str; 6] = [
    "STREAMGATE_CONFIG",
    "STREAMGATE_URL",
    "STREAMGATE_KEY",
    "STREAMGATE_CA_FILE",
    "STREAMGATE_CLIENT_CERT_FILE",
    "STREAMGATE_CLIENT_KEY_FILE",
];

/// Settings that are lists of tables, which a stronger source replaces whole.
pub(crate) const LISTS: [&str; 2] = ["keys", "issuers"];

/// Settings that are lists and tables, which a variable or a flag holds whole.
pub(super) const STRUCTURES: [&str; 3] = [LISTS[0], LISTS[1], "plans"];

/// The list that a setting is in (`keys` of `keys[0].name`), or is.
pub(crate) fn list_of(path: &str) -> Option<&'static str> {
    LISTS.into_iter().find(|list| {
        let rest = path.strip_prefix(list);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    })
}

/// The variable that every Rust service takes its log filter from; it wins over ours.
pub(crate) const RUST_LOG: &str = "RUST_LOG";

/// What was set, source by source.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    flags: Entries,
    /// Variables of structured settings, taken apart.
    variables: Entries,
    /// The other variables by their names: only the settings know which path a name means.
    named: BTreeMap<String, String>,
    file: Entries,
}

impl Layers {
    /// Parses the sources; what cannot be parsed is reported.
    pub(crate) fn new(inputs: Inputs, problems: &mut Vec<Problem>) -> Self {
        let mut layers = Self {
            flags: Entries::new(),
            variables: Entries::new(),
            named: inputs.variables,
            file: Entries::new(),
        };
        if let Some((file, text)) = inputs.file {
            layers.file = entries_of(&file, &text, problems);
        }
        for other in OTHER_VARIABLES {
            layers.named.remove(other);
        }
        for list in STRUCTURES {
            layers.take_apart_variable(&KeyPath::new(list), problems);
        }
        for (path, text, flag) in inputs.flags {
            let origin = Origin::Flag(flag);
            if STRUCTURES.map(KeyPath::new).contains(&path) {
                let entries = entries_of_inline(&path, &text, &origin, problems);
                layers.flags.extend(entries);
            } else {
                let value = Value::Untyped(text);
                layers.flags.insert(path, Entry { value, origin });
            }
        }
        for list in LISTS {
            layers.replace_list(list);
        }
        layers
    }

    fn take_apart_variable(&mut self, path: &KeyPath, problems: &mut Vec<Problem>) {
        let variable = path.variable();
        if let Some(text) = self.named.remove(&variable) {
            let origin = Origin::Variable(variable);
            let entries = entries_of_inline(path, text.trim(), &origin, problems);
            self.variables.extend(entries);
        }
    }

    /// Lets the strongest source that has a list keep it.
    fn replace_list(&mut self, name: &str) {
        let is_of_list = |path: &KeyPath| {
            let first = path.parts().first();
            first.and_then(|first| list_of(first)) == Some(name)
        };
        let mut taken = false;
        for layer in [&mut self.flags, &mut self.variables, &mut self.file] {
            if taken {
                layer.retain(|path, _| !is_of_list(path));
            }
            taken |= layer.keys().any(is_of_list);
        }
    }

    /// The value that counts for a setting; `None` if it is not set.
    pub(crate) fn get(&self, path: &KeyPath) -> Option<Entry> {
        if let Some(entry) = self.flags.get(path) {
            return Some(entry.clone());
        }
        if *path == KeyPath::new("log.filter")
            && let Some(text) = self.named.get(RUST_LOG).filter(|text| !text.is_empty())
        {
            return Some(variable_entry(RUST_LOG.to_owned(), text));
        }
        let variable = path.variable();
        if let Some(text) = self.named.get(&variable) {
            return Some(variable_entry(variable, text));
        }
        self.variables
            .get(path)
            .or_else(|| self.file.get(path))
            .cloned()
    }

    /// Moves values from the `earlier` name of a setting to its `present` one, source by source; a
    /// value under the present name stays. Returns where the earlier name was used, the strongest
    /// first.
    pub(crate) fn rename(&mut self, earlier: &KeyPath, present: &KeyPath) -> Vec<Origin> {
        if let Some((variable, text)) = self.named.remove_entry(&earlier.variable()) {
            let entry = variable_entry(variable, &text);
            self.variables.insert(earlier.clone(), entry);
        }
        let mut used = Vec::new();
        for layer in [&mut self.flags, &mut self.variables, &mut self.file] {
            if let Some(entry) = layer.remove(earlier) {
                used.push(entry.origin.clone());
                layer.entry(present.clone()).or_insert(entry);
            }
        }
        used
    }

    /// The names of the tables in `table` whose settings are `fields`. A variable can name a new
    /// one: `STREAMGATE_PLANS_PREMIUM_LIMIT` is `plans.premium.limit`. If one field ends as another
    /// does (`at_limit`, `limit`), the longer one stands first.
    pub(crate) fn names_in(&self, table: &KeyPath, fields: &[&str]) -> BTreeSet<String> {
        let depth = table.parts().len();
        let entries = self.all().filter(|(path, _)| path.is_in(table));
        let names = entries.filter_map(|(path, _)| path.parts().get(depth).cloned());
        let mut names: BTreeSet<String> = names.collect();
        let prefix = format!("{}_", table.variable());
        for rest in self.named.keys().filter_map(|it| it.strip_prefix(&prefix)) {
            let name_before =
                |field: &&str| rest.strip_suffix(&format!("_{}", field.to_uppercase()));
            let Some(name) = fields.iter().find_map(name_before) else {
                continue;
            };
            let is_same =
                |known: &String| table.child(known).variable() == format!("{prefix}{name}");
            if !names.iter().any(is_same) {
                names.insert(name.to_lowercase());
            }
        }
        names
    }

    /// Every path with its entry, except of variables that were not taken apart.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&KeyPath, &Entry)> {
        [&self.flags, &self.variables, &self.file]
            .into_iter()
            .flatten()
    }

    /// The variables that were not taken apart and that no platform sets.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.named
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with(VARIABLE_PREFIX) && !is_foreign(name, &self.named))
    }
}

fn variable_entry(variable: String, text: &str) -> Entry {
    Entry {
        value: Value::Untyped(text.to_owned()),
        origin: Origin::Variable(variable),
    }
}
