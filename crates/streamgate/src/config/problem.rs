//! What is wrong with the settings: all of it at once, each with the place it came from.

use std::fmt;

use super::path::KeyPath;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nobody set it.
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
    /// Where it was set, where that is known.
    origin: Option<Origin>,
    /// The setting, where it is about one.
    path: Option<KeyPath>,
    /// What is wrong, going on after the name of the setting.
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

/// Puts problems in the order in which a reader goes through the places: the file from its top,
/// then variables, then flags.
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
