//! Deprecated names of settings: they still work, in every source, and are reported.

use std::fmt;

use super::entry::{KeyPath, Origin, Problem};
use super::reader::Reader;

/// An earlier name of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EarlierName {
    /// The deprecated name.
    pub(crate) earlier: KeyPath,
    /// The present name.
    pub(crate) present: KeyPath,
    /// Where the deprecated name was used.
    used: Vec<Origin>,
}

impl Reader {
    /// Declares that the setting `name` of this section was called `earlier`, a whole path, before.
    /// Called before the setting is read.
    pub(crate) fn was_called(&mut self, earlier: &str, name: &str) {
        let (earlier, present) = (KeyPath::new(earlier), self.here(name));
        let twin = self.layers.get(&present);
        let used = self.layers.rename(&earlier, &present);
        if let (Some(origin), Some(twin)) = (used.first(), twin) {
            let message = format!(
                "is the deprecated name of {present}, which is set as well ({}): remove one of \
                 them",
                twin.origin
            );
            let problem = Problem::setting(origin.clone(), earlier.clone(), message);
            self.problems.push(problem);
        }
        self.earlier_names.push(EarlierName {
            earlier,
            present,
            used,
        });
    }
}

impl EarlierName {
    /// A warning for each place where the deprecated name was used.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = Warning<'_>> {
        let warning = |origin| Warning { name: self, origin };
        self.used.iter().map(warning)
    }
}

/// That a deprecated name was used at a place.
pub(crate) struct Warning<'a> {
    name: &'a EarlierName,
    origin: &'a Origin,
}

impl fmt::Display for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, origin } = self;
        write!(
            f,
            "{origin}: {} is deprecated, use {}",
            name.earlier, name.present
        )?;
        match origin {
            Origin::Variable(_) => write!(f, " ({})", name.present.variable()),
            Origin::Default | Origin::File { .. } | Origin::Flag(_) => Ok(()),
        }
    }
}
