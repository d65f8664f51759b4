//! `[sentry]`: where error reports go.

use crate::config::reader::{Ask, Reader};
use crate::config::value::quoted;
use crate::error_reports::check_dsn;

/// The settings of error reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentry {
    /// Address and key of the project; `None` for no reports.
    pub(crate) dsn: Option<String>,
    /// The environment, such as `production`.
    pub(crate) environment: Option<String>,
}

/// Reads the section.
pub(crate) fn read(reader: &mut Reader) -> Sentry {
    reader.section(
        "[sentry]",
        "Error reports to Sentry, in a build that has them: each line of the log at level error, \
         and panics. They hold what the line holds: no user, no request, no name of the machine.",
    );
    let dsn = Ask(
        "dsn",
        "The DSN of the project: \"https://KEY@HOST/PROJECT\". Unset: no reports.",
    );
    let environment = Ask(
        "environment",
        "The environment that reports name, such as \"production\".",
    );
    let show = |dsn: &String| quoted(if dsn.is_empty() { "" } else { "***" });
    let default = Some(String::new());
    let dsn = reader.read(dsn, "DSN".to_owned(), default, show, |value| {
        let text = value.text()?;
        match text.is_empty() {
            true => Ok(String::new()),
            false => check_dsn(text).map(|()| text.to_owned()),
        }
    });
    Sentry {
        dsn: dsn.filter(|dsn| !dsn.is_empty()),
        environment: reader.text_or_none(environment, "text", |_| Ok(())),
    }
}
