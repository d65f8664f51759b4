//! Settings of the dialects: which are mounted, and what applies to each.
//!
//! What is *not* here: what a dialect fixes by itself; that is in its
//! [`Dialect`](super::dialect::Dialect).

use std::collections::BTreeMap;

use streamgate_core::Seconds;

/// Names every dialect: the variant, and its name in URLs and configuration.
macro_rules! dialect_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The HTTP API of an earlier system.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DialectName {
            $($(#[$doc])* $variant,)*
        }

        impl DialectName {
            /// Every dialect, in the order of the documentation.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Its name in URLs and configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

dialect_names! {
    /// Counts sessions without ids: `/add-session`, `/remove-session`.
    SessionTracker = "session-tracker",
    /// One call behind an API gateway: `/{stage}/startSession/…`.
    ConcurrencyService = "concurrency-service",
    /// `/{stage}/stream`.
    StreamLog = "stream-log",
    /// `/user-streams/{userId}/{sessionId}`.
    UserStreams = "user-streams",
    /// `/createuser`, `/requeststream` and others.
    StreamRequests = "stream-requests",
}

/// Settings of all dialects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompatSettings {
    /// The dialects mounted under `/compat/NAME/`.
    pub dialects: Vec<DialectName>,
    /// The dialect that is also mounted at the root; one of `dialects`.
    pub root: Option<DialectName>,
    /// The lease of sessions started through a dialect, unless the dialect has its own: how long
    /// each call holds the slot. 5 seconds to a day. Imported sessions get it too.
    pub lease: Seconds,
    /// Whether dialects ask for an API key where keys exist. A dialect can ask in any case
    /// (`concurrency-service`).
    pub require_key: bool,
    /// Settings of single dialects.
    pub by_dialect: BTreeMap<DialectName, DialectSettings>,
}

/// Settings of one dialect; what is `None` is as for all dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DialectSettings {
    /// The lease of sessions started through this dialect. 5 seconds to a day.
    pub lease: Option<Seconds>,
}

impl CompatSettings {
    /// The lease of sessions started through this dialect.
    #[must_use]
    pub fn lease_of(&self, dialect: DialectName) -> Seconds {
        let own = self.by_dialect.get(&dialect).and_then(|own| own.lease);
        own.unwrap_or(self.lease)
    }
}

impl Default for CompatSettings {
    fn default() -> Self {
        Self {
            dialects: DialectName::ALL.to_vec(),
            root: None,
            lease: Seconds(12 * 60 * 60),
            require_key: true,
            by_dialect: BTreeMap::new(),
        }
    }
}
