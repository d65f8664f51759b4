//! `[log]`: filter and format of the log, and the audit log.

use streamgate_server::telemetry::{AUDIT_TARGET, AuditSettings, LogFormat};
use tracing_subscriber::EnvFilter;

use crate::config::reader::{Ask, Reader};

/// The default filter.
const FILTER_DEFAULT: &str = "info";

/// The settings of the log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// The format of the lines.
    pub(crate) format: LogFormat,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`.
    pub(crate) filter: String,
    /// What is audited.
    pub(crate) audit: AuditSettings,
}

impl Log {
    /// The filter, with the audit log in it or out of it, whatever it says.
    pub(crate) fn whole_filter(&self) -> String {
        let level = if self.audit.enabled { "info" } else { "off" };
        format!("{},{AUDIT_TARGET}={level}", self.filter)
    }
}

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> Log {
    reader.section("[log]", "The log, on standard error.");
    let format = Ask(
        "format",
        "\"human\": text for a terminal; \"json\": one object per line in the Elastic Common \
         Schema, without the start-up banner.",
    );
    let filter = Ask(
        "filter",
        "Level (error, warn, info, debug, trace), also per module: \
         \"info,streamgate_server=debug\". The environment variable RUST_LOG overrides it.",
    );
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format = reader.choice(format, LogFormat::default(), &formats);
    let filter = reader.text(filter, "a log filter", Some(FILTER_DEFAULT), |text| {
        let parsed = EnvFilter::try_new(text);
        parsed.map_or_else(|why| Err(format!("is not a log filter: {why}")), |_| Ok(()))
    });
    let audit = Ask(
        "audit",
        "Whether to log, by the logger \"audit\" and whatever the filter, who changed users, ended \
         sessions of others, minted tokens, imported users or took a backup.",
    );
    let audit_user_ids = Ask(
        "audit_user_ids",
        "Whether lines of the audit log have the ids of users. They have a hash in any case.",
    );
    let default = AuditSettings::default();
    let audit = AuditSettings {
        enabled: reader.flag(audit, default.enabled),
        user_ids: reader.flag(audit_user_ids, default.user_ids),
    };
    Log {
        format,
        filter: filter.unwrap_or_default(),
        audit,
    }
}
