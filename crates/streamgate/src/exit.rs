//! How the process ends: exit codes, and failures that explain themselves.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use crate::output;

/// Why the process ended. The numbers are documented in `--help`; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The command found a problem, or the server refused the request.
    Problem = 1,
    /// The command line or the settings are wrong.
    Usage = 2,
    /// The server cannot be reached.
    Unreachable = 69,
    /// The store could not be opened, or failed.
    Store = 74,
    /// Told to stop for a second time while stopping.
    Impatient = 130,
}

/// The exit codes as `--help` explains them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    everything is as it should be
  1    the command found a problem, or the server refused the request
  2    the command line or the settings are wrong
  69   the server cannot be reached
  74   the store could not be opened, or failed while serving
  130  told to stop a second time while stopping";

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
}

/// What is to be sent before the process ends, beside the log.
static FLUSHES: Mutex<Vec<Box<dyn Fn() + Send>>> = Mutex::new(Vec::new());

/// Has `flush` called before the process ends; it must not take longer than a second or two.
pub(crate) fn flush_before(flush: impl Fn() + Send + 'static) {
    let mut flushes = FLUSHES.lock().unwrap_or_else(PoisonError::into_inner);
    flushes.push(Box::new(flush));
}

/// Sends what is to be sent before the process ends, and writes the last lines of the log.
pub(crate) fn flush() {
    let flushes = std::mem::take(&mut *FLUSHES.lock().unwrap_or_else(PoisonError::into_inner));
    for flush in flushes {
        flush();
    }
    output::flush_log();
}

/// Ends the process at once, after the last lines of the log; traces and error reports are sent
/// unless the operator has lost patience.
pub(crate) fn now(code: Code) -> ! {
    match code {
        Code::Impatient => output::flush_log(),
        _ => flush(),
    }
    std::process::exit(code as i32)
}

/// Ends a server that was told to stop before it served.
pub(crate) fn stopped() -> ! {
    output::flush_log();
    std::process::exit(0)
}

/// Prints the answer to the command line itself (`--help`, `--version`, or what is wrong with it).
pub(crate) fn by_command_line(answer: &clap::Error) -> ExitCode {
    let text = answer.render();
    if !answer.use_stderr() {
        output::text(&if io::stdout().is_terminal() {
            text.ansi().to_string()
        } else {
            text.to_string()
        });
        return match output::finish() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
        };
    }
    output::say(&if io::stderr().is_terminal() {
        text.ansi().to_string()
    } else {
        text.to_string()
    });
    ExitCode::from(Code::Usage as u8)
}

impl Failure {
    /// A failure with its exit code.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The same with another exit code.
    pub(crate) fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// Prints it, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        output::error(&self.message, self.hint.as_deref());
        ExitCode::from(self.code as u8)
    }
}
