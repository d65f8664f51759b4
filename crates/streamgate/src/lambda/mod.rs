//! AWS Lambda: the same endpoints, called by events instead of connections, in builds with the
//! feature `lambda`.
//!
//! Lambda starts the program as `bootstrap`, without arguments, and names its Runtime API in a
//! variable. Where that is set, `serve` takes events from it; nothing listens.
//!
//! What is *not* here: endpoints, which are those of the server.

#[cfg(not(feature = "lambda"))]
mod absent;
#[cfg(feature = "lambda")]
mod present;

use std::ffi::OsString;

#[cfg(not(feature = "lambda"))]
pub(crate) use absent::run;
#[cfg(feature = "lambda")]
pub(crate) use present::run;

/// The variable that Lambda sets: host and port of its Runtime API.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Where the Runtime API is, if the process runs on Lambda.
pub(crate) fn runtime_api() -> Option<String> {
    std::env::var(RUNTIME_API).ok()
}

/// The command line of the process. On Lambda one without arguments means `serve`.
pub(crate) fn command_line() -> Vec<OsString> {
    on_lambda(std::env::args_os().collect(), runtime_api().is_some())
}

fn on_lambda(mut line: Vec<OsString>, is_on_lambda: bool) -> Vec<OsString> {
    if is_on_lambda && line.len() <= 1 {
        line.push("serve".into());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lambda_makes_serve_of_no_arguments() {
        for (line, is_on_lambda, expected) in [
            (&["bootstrap"][..], true, &["bootstrap", "serve"][..]),
            (&["bootstrap"], false, &["bootstrap"]),
            (&["streamgate", "health"], true, &["streamgate", "health"]),
        ] {
            let line = line.iter().map(OsString::from).collect();
            assert_eq!(on_lambda(line, is_on_lambda), expected);
        }
    }
}
