//! A value that was set: its path, its source, and what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;

use super::value::{Value, quoted};

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The value.
    pub(crate) value: Value,
    /// Its source.
    pub(crate) origin: Origin,
}

/// Values of one source, by their path.
pub(crate) type Entries = BTreeMap<KeyPath, Entry>;

/// The name of a setting, through the tables of a file: `policy.lease_s`, `plans.basic.limit`,
/// `keys[0].scope`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path whose parts are joined by dots in `text`; no part has a dot or needs quotes.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.split('.').map(str::to_owned).collect())
    }

    /// Reads a path as TOML writes it: `plans."big one".limit`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let document = format!("{text} = 0");
        let mut table = toml::de::DeTable::parse(&document).ok()?.into_inner();
        let mut path = Self::root();
        loop {
            let (key, value) = table.into_iter().next()?;
            path = path.child(key.get_ref());
            match value.into_inner() {
                toml::de::DeValue::Table(inner) => table = inner,
                _ => return Some(path),
            }
        }
    }

    /// The path of what stands at the top of a file.
    pub(crate) const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path of the entry `name` of this table.
    pub(crate) fn child(&self, name: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(name.to_owned());
        Self(parts)
    }

    /// The path of a table of this list of tables.
    pub(crate) fn item(&self, index: usize) -> Self {
        let mut parts = self.0.clone();
        if let Some(last) = parts.last_mut() {
            *last = format!("{last}[{index}]");
        }
        Self(parts)
    }

    /// Whether this is the path of `table` or of something in it.
    pub(crate) fn is_in(&self, table: &Self) -> bool {
        self.0.starts_with(&table.0)
    }

    /// The parts of the path.
    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }

    /// The environment variable of this setting.
    pub(crate) fn variable(&self) -> String {
        let name = self.0.join("_").to_uppercase();
        // A shell takes no hyphen in the name of a variable.
        format!("{VARIABLE_PREFIX}{}", name.replace('-', "_"))
    }
}

/// What the environment variables of all settings begin with.
pub(crate) const VARIABLE_PREFIX: &str = "STREAMGATE_";

impl fmt::Display for KeyPath {
    /// The path as TOML writes it: a part with unusual characters stands in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-[]".contains(c);
        for (at, part) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            if part.is_empty() || !part.chars().all(is_bare) {
                f.write_str(&quoted(part))?;
            } else {
                f.write_str(part)?;
            }
        }
        Ok(())
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// It was not set.
    Default,
    /// A line of the configuration file.
    File {
        /// The file, as it was named.
        file: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag, such as `--listen` or `--set`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where it was set, if that is known.
    origin: Option<Origin>,
    /// The setting, if it is about one.
    path: Option<KeyPath>,
    /// What is wrong; the sentence begins with the name of the setting.
    message: String,
}

impl Problem {
    /// A setting has a wrong value.
    pub(crate) fn setting(origin: Origin, path: KeyPath, message: impl Into<String>) -> Self {
        Self {
            origin: Some(origin),
            path: Some(path),
            message: message.into(),
        }
    }

    /// Something is wrong at a place, and it is not about a known setting.
    pub(crate) fn at(origin: Origin, message: impl Into<String>) -> Self {
        Self {
            origin: Some(origin),
            path: None,
            message: message.into(),
        }
    }

    /// Something is wrong with the settings as a whole.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self {
            origin: None,
            path: None,
            message: message.into(),
        }
    }
}

/// Sorts problems: by line of the file, then variables, then flags.
pub(crate) fn sort(problems: &mut [Problem]) {
    problems.sort_by(|a, b| a.origin.cmp(&b.origin));
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(path) = &self.path {
            write!(f, "{path} ")?;
        }
        f.write_str(&self.message)
    }
}
