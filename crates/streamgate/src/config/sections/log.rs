//! `[log]`: filter and format of the log.

use streamgate_server::telemetry::LogFormat;
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
}

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> Log {
    reader.section("[log]", "The log, on standard error.");
    let format = Ask(
        "format",
        "\"human\": text for a terminal; \"json\": one object per line in the Elastic Common Schema, \
         without the start-up banner.",
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
    Log {
        format,
        filter: filter.unwrap_or_default(),
    }
}
