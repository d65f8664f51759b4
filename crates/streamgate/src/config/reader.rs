//! Reading a setting is declaring it: one call names it, explains it, bounds it and returns it.
//!
//! The calls are kept, so the default file, the reference, `config show` and the list of unknown
//! keys all come from the same place as the values, and cannot differ from them.
//!
//! What is *not* here: the types of values (`value_types.rs`), deprecated names (`deprecated.rs`),
//! the settings themselves (`sections/`).

use std::collections::BTreeSet;

use super::deprecated::EarlierName;
use super::entry::{KeyPath, Origin, Problem};
use super::layers::Layers;
use super::value::Value;

/// A part of the settings with an explanation: a table of the file.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// The table's header as a file has it: `[policy]`, `[plans.NAME]`; empty for the top.
    pub(crate) header: &'static str,
    /// What the section is for.
    pub(crate) intro: &'static str,
    /// Lines of an example, for tables whose names the operator chooses.
    pub(crate) example: &'static [&'static str],
}

/// A setting as it was declared and read.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// The index of its section.
    pub(crate) section: usize,
    /// Its name in the section.
    pub(crate) name: &'static str,
    /// Its whole path.
    pub(crate) path: KeyPath,
    /// What it is for.
    pub(crate) doc: &'static str,
    /// What may be set, in words.
    pub(crate) takes: String,
    /// The default as a file has it; `None` if there is none.
    pub(crate) default: Option<String>,
    /// The value that counts, as a file has it; `None` if nothing is set.
    pub(crate) value: Option<String>,
    /// Where the value came from.
    pub(crate) origin: Origin,
    /// It stands for the settings of tables whose names the operator chooses.
    pub(crate) is_pattern: bool,
}

/// Reads settings and keeps what was read.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) layers: Layers,
    table: KeyPath,
    pub(crate) sections: Vec<Section>,
    pub(crate) declared: Vec<Declared>,
    pub(crate) earlier_names: Vec<EarlierName>,
    pub(crate) problems: Vec<Problem>,
}

/// A setting that is asked for: its name in the section, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask(pub(crate) &'static str, pub(crate) &'static str);

impl Reader {
    /// Reads from these layers.
    pub(crate) fn new(layers: Layers, problems: Vec<Problem>) -> Self {
        Self {
            layers,
            table: KeyPath::root(),
            sections: Vec::new(),
            declared: Vec::new(),
            earlier_names: Vec::new(),
            problems,
        }
    }

    /// Begins a section; what is asked for next belongs to it.
    pub(crate) fn section(&mut self, header: &'static str, intro: &'static str) {
        let table = header.trim_matches(['[', ']']);
        self.table = if table.is_empty() {
            KeyPath::root()
        } else {
            KeyPath::new(table)
        };
        self.sections.push(Section {
            header,
            intro,
            example: &[],
        });
    }

    /// Adds an example to the section.
    pub(crate) fn example(&mut self, lines: &'static [&'static str]) {
        if let Some(section) = self.sections.last_mut() {
            section.example = lines;
        }
    }

    /// The path of a setting of the current table.
    pub(super) fn here(&self, name: &str) -> KeyPath {
        self.table.child(name)
    }

    /// Continues in another table of the same section.
    pub(crate) fn enter(&mut self, table: KeyPath) {
        self.table = table;
    }

    /// The names of the tables in the table `name` whose settings are `fields`.
    pub(crate) fn tables(&mut self, name: &'static str, fields: &[&str]) -> BTreeSet<String> {
        let table = KeyPath::new(name);
        if let Some(entry) = self.layers.get(&table)
            && entry.value != Value::Table
        {
            let message = format!("must be a table, is {}", entry.value);
            self.wrong(entry.origin, table.clone(), message);
        }
        self.layers.names_in(&table, fields)
    }

    /// How many tables the list `name` has.
    pub(crate) fn items(&mut self, name: &'static str) -> usize {
        let list = KeyPath::new(name);
        if let Some(entry) = self.layers.get(&list)
            && entry.value != Value::List(Vec::new())
        {
            let message = format!("must be a list of tables, is {}", entry.value);
            self.wrong(entry.origin, list.clone(), message);
        }
        (0..)
            .take_while(|index| self.layers.get(&list.item(*index)).is_some())
            .count()
    }

    /// Reads one setting: every other way of reading ends here.
    pub(crate) fn read<T>(
        &mut self,
        Ask(name, doc): Ask,
        takes: String,
        default: Option<T>,
        show: impl Fn(&T) -> String,
        decode: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let path = self.table.child(name);
        let default_shown = default.as_ref().map(&show);
        let (mut value, mut origin) = (default, Origin::Default);
        if let Some(entry) = self.layers.get(&path) {
            origin = entry.origin;
            match decode(&entry.value) {
                Ok(decoded) => value = Some(decoded),
                Err(why) => self.wrong(origin.clone(), path.clone(), why),
            }
        }
        self.declared.push(Declared {
            section: self.sections.len().saturating_sub(1),
            name,
            path,
            doc,
            takes,
            default: default_shown,
            value: value.as_ref().map(&show),
            origin,
            is_pattern: false,
        });
        value
    }

    /// Declares the settings of tables whose names the operator chooses, for the documents: those
    /// that `read` asks for, in a table where nothing is set.
    pub(crate) fn pattern<T>(&mut self, read: impl FnOnce(&mut Self) -> T) {
        let (first, problems) = (self.declared.len(), self.problems.len());
        let layers = std::mem::take(&mut self.layers);
        read(self);
        self.layers = layers;
        self.problems.truncate(problems);
        for declared in &mut self.declared[first..] {
            declared.is_pattern = true;
            declared.value = None;
            // Empty text is the default of settings that may be left out.
            declared.default.take_if(|default| default == "\"\"");
        }
    }

    /// Reports that a table lacks a setting that it must have.
    pub(crate) fn missing(&mut self, name: &str) {
        let path = self.table.child(name);
        if self.layers.get(&path).is_some() {
            return; // It is there and wrong, which was reported.
        }
        let table = self.layers.all().find(|(at, _)| at.is_in(&self.table));
        let read = |it: &&Declared| it.path.is_in(&self.table) && it.origin != Origin::Default;
        let origin = match (table, self.declared.iter().find(read)) {
            (Some((_, entry)), _) => entry.origin.clone(),
            (None, Some(other)) => other.origin.clone(),
            (None, None) => Origin::Default,
        };
        self.wrong(origin, path, "is missing".to_owned());
    }

    /// Reports a setting of the current table.
    pub(crate) fn wrong_here(&mut self, name: &str, message: impl Into<String>) {
        let path = self.table.child(name);
        let origin = self
            .layers
            .get(&path)
            .map_or(Origin::Default, |entry| entry.origin);
        self.wrong(origin, path, message.into());
    }

    pub(super) fn wrong(&mut self, origin: Origin, path: KeyPath, message: String) {
        self.problems.push(Problem::setting(origin, path, message));
    }
}
