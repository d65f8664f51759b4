//! `[store]`: where records are kept.
//!
//! What is *not* here: the settings of one kind of store; `embedded.rs`, `redis.rs`, `security.rs`
//! and `dynamodb.rs` read them.

mod dynamodb;
mod embedded;
mod redis;
mod security;

use std::path::Path;

use streamgate_core::codec::{NEWEST, OLDEST};
use streamgate_store_embedded::EmbeddedConfig;
use streamgate_store_redis::RedisSettings;

use crate::config::reader::{Ask, Reader};
use crate::config::sections::general::General;
use crate::config::value::quoted;

/// The value for the store in this process.
const EMBEDDED: &str = "embedded";

/// The beginning of the URL of a table.
const DYNAMODB: &str = "dynamodb://";

/// Where records are kept.
#[derive(Debug, Clone)]
pub(crate) enum StoreSettings {
    /// In this process and its data directory.
    Embedded(EmbeddedConfig),
    /// On Redis or Valkey.
    Redis(RedisSettings),
    /// In a DynamoDB table.
    DynamoDb(TableSettings),
}

/// What differs by store, except how one is opened (`serve/store.rs`).
impl StoreSettings {
    /// The word for the kind of store.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Redis(_) => "redis",
            Self::DynamoDb(_) => "dynamodb",
        }
    }

    /// What traces call the server: `db.system.name` of OpenTelemetry's semantic conventions.
    pub(crate) fn system_name(&self) -> Option<&'static str> {
        match self {
            Self::Embedded(_) => None,
            Self::Redis(_) => Some("redis"),
            Self::DynamoDb(_) => Some("aws.dynamodb"),
        }
    }

    /// The directory in which this process keeps records itself.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        match self {
            Self::Embedded(config) => Some(&config.dir),
            Self::Redis(_) | Self::DynamoDb(_) => None,
        }
    }

    /// Where sessions are kept, in a few words, without a password.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Embedded(config) => format!(
                "data in {}, durability {}",
                config.dir.display(),
                config.durability.as_str()
            ),
            Self::Redis(config) => format!("data on {}", without_password(&config.url)),
            Self::DynamoDb(table) => format!("data in the DynamoDB table {}", table.table),
        }
    }

    /// Names of the settings that `config show` does not print whole and that differ in `new`:
    /// passwords, and files, which can have other contents under the same name.
    pub(crate) fn hidden_changes(&self, new: &Self) -> Vec<&'static str> {
        match (self, new) {
            (Self::Redis(old), Self::Redis(new)) => redis::hidden_changes(old, new),
            // Nothing of the other stores is hidden, and the change of a store shows in its URL.
            (Self::Embedded(_) | Self::Redis(_) | Self::DynamoDb(_), _) => Vec::new(),
        }
    }
}

/// A DynamoDB table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableSettings {
    /// Its name.
    pub(crate) table: String,
    /// Its region; `None` to take that of the AWS environment.
    pub(crate) region: Option<String>,
    /// Another endpoint than AWS's own.
    pub(crate) endpoint: Option<String>,
}

/// The kind of store that a URL means.
#[derive(Debug, Clone)]
enum Kind {
    Embedded,
    Redis { url: String },
    Table(String),
}

/// Reads the section: where records are kept, and in which format on a remote store.
pub(crate) fn read(reader: &mut Reader, general: &General) -> (StoreSettings, u8) {
    reader.section(
        "[store]",
        "Where sessions are kept: in this process and data_dir, or on servers that many nodes \
         share.",
    );
    let url = Ask(
        "url",
        "\"embedded\" for one node that needs no other server; redis://[USER:PASSWORD@]HOST[:PORT] \
         (Redis 6 or newer, or Valkey), redis+sentinel://HOST,HOST/NAME, \
         redis+cluster://HOST,HOST, each also with rediss for TLS; dynamodb://TABLE, in a build \
         that has DynamoDB. One with a password is best given by the environment, where other \
         users of the machine cannot read it.",
    );
    let takes = "\"embedded\" or a URL".to_owned();
    let show = |kind: &(Kind, String)| quoted(&without_password(&kind.1));
    let default = (Kind::Embedded, EMBEDDED.to_owned());
    let kind = reader.read(url, takes, Some(default), show, |value| {
        let text = value.text()?;
        Ok((kind_of(text)?, text.to_owned()))
    });
    let format = Ask(
        "format",
        "The newest format of records that nodes write to Redis or DynamoDB. A node raises the \
         mark in the store to it at the start and never lowers it. 2 allows the field region of a \
         start. Raise it once all nodes run a release that reads that format: older ones refuse to \
         serve from then on. The embedded store needs no switch.",
    );
    let formats = u32::from(OLDEST)..=NEWEST.into();
    let format = reader.whole(format, OLDEST.into(), formats);
    let format = u8::try_from(format).unwrap_or(OLDEST);
    let embedded = embedded::read(reader, general);
    let kind = kind.map_or(Kind::Embedded, |(kind, _)| kind);
    let redis_url = match &kind {
        Kind::Redis { url } => url,
        _ => "",
    };
    let redis = redis::read(reader, redis_url);
    let (region, endpoint) = dynamodb::read(reader);
    let store = match kind {
        Kind::Embedded => StoreSettings::Embedded(embedded),
        Kind::Redis { .. } => StoreSettings::Redis(redis),
        Kind::Table(table) => StoreSettings::DynamoDb(TableSettings {
            table,
            region,
            endpoint,
        }),
    };
    (store, format)
}

/// The store that a URL means. No error repeats a part of it that could be a password.
fn kind_of(url: &str) -> Result<Kind, String> {
    if url == EMBEDDED {
        return Ok(Kind::Embedded);
    }
    if let Some(table) = url.strip_prefix(DYNAMODB) {
        return match (table, cfg!(feature = "dynamodb")) {
            ("", _) => Err("names no table: dynamodb://TABLE".to_owned()),
            (_, false) => {
                Err("needs a build that has DynamoDB: cargo build --features dynamodb".to_owned())
            }
            (table, true) => Ok(Kind::Table(table.to_owned())),
        };
    }
    match RedisSettings::new(url).check() {
        Ok(()) => Ok(Kind::Redis {
            url: url.to_owned(),
        }),
        Err(error) => Err(format!("must be \"embedded\" or a URL: {error}")),
    }
}

/// A URL as it may be shown.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://***@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("embedded", "embedded"),
            ("redis://h:1", "redis://h:1"),
            ("redis://u:p@h:1", "redis://***@h:1"),
            ("rediss+cluster://:p@x@a,b", "rediss+cluster://***@a,b"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn urls_are_told_apart_and_errors_hide_what_is_secret() {
        assert!(matches!(kind_of("embedded"), Ok(Kind::Embedded)));
        assert!(matches!(kind_of("redis://h"), Ok(Kind::Redis { .. })));
        assert!(matches!(
            kind_of("rediss+sentinel://a,b/main"),
            Ok(Kind::Redis { .. })
        ));
        for wrong in [
            "",
            "postgres://u:secret@h",
            "redis://:secret@h:x",
            "dynamodb://",
        ] {
            let why = kind_of(wrong).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
        assert_eq!(kind_of("dynamodb://t").is_ok(), cfg!(feature = "dynamodb"));
    }
}
