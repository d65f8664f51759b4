//! Reports everything that was set and is no setting: nearly always a misspelling.

use std::collections::BTreeSet;

use super::entry::{KeyPath, Origin, Problem};
use super::layers::STRUCTURES;
use super::reader::Reader;
use super::value::Value;

impl Reader {
    /// Reports everything that was set and that no section has read.
    pub(crate) fn report_unknown(&mut self) {
        let known: BTreeSet<KeyPath> = self.declared.iter().map(|it| it.path.clone()).collect();
        let mut found = self.unknown_entries(&known);
        let variables: Vec<String> = known.iter().map(KeyPath::variable).collect();
        for name in self.layers.variables() {
            if !variables.iter().any(|known| known == name) {
                let origin = Origin::Variable(name.to_owned());
                let message = format!("is no setting{}", suggestion(name, &variables));
                found.push(Problem::at(origin, message));
            }
        }
        self.problems.append(&mut found);
    }

    fn unknown_entries(&self, known: &BTreeSet<KeyPath>) -> Vec<Problem> {
        let names: Vec<String> = known.iter().map(ToString::to_string).collect();
        let mut found = Vec::new();
        for (path, entry) in self.layers.all() {
            let is_structure = STRUCTURES.map(KeyPath::new).contains(path);
            if known.contains(path) || is_structure {
                continue; // Whether its value fits was checked when it was read.
            }
            let is_section = known.iter().any(|known| known.is_in(path));
            let is_table = entry.value == Value::Table;
            let has_entries = || {
                let mut all = self.layers.all();
                all.any(|(other, _)| other != path && other.is_in(path))
            };
            if is_table && (is_section || has_entries()) {
                continue; // A section, or a table that is reported by what is in it.
            }
            let message = if is_section {
                format!("is a section, not a setting: write [{path}] above its settings")
            } else {
                let near = suggestion(&path.to_string(), &names);
                format!("is no setting{near}")
            };
            let origin = entry.origin.clone();
            found.push(Problem::setting(origin, path.clone(), message));
        }
        found
    }
}

/// The known name with the smallest edit distance, if it is small for its length.
fn suggestion(wrong: &str, known: &[String]) -> String {
    known
        .iter()
        .map(|name| (strsim::levenshtein(wrong, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_setting_suggests_the_nearest_name() {
        let known = ["policy.lease_s".to_owned(), "log.format".to_owned()];
        assert_eq!(
            suggestion("policy.leases", &known),
            "; did you mean policy.lease_s?"
        );
        assert_eq!(suggestion("something.else", &known), "");
    }
}
