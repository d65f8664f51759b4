//! How far a command is, on standard error: a bar on a terminal, else a line every few seconds.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use streamgate_clock::Stopwatch;

use crate::output;

/// How often a line is printed without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A bar, and the lines that replace it.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) bar: ProgressBar,
    since_line: Cell<Stopwatch>,
}

impl Progress {
    /// Shows `bar` in the form of an `indicatif` template.
    pub(crate) fn new(bar: ProgressBar, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        Self {
            // indicatif hides it if standard error is no terminal.
            bar: bar.with_style(style),
            since_line: Cell::new(Stopwatch::start()),
        }
    }

    /// Shows a line beside the bar. Without a bar it is printed, but at most every few seconds.
    pub(crate) fn show(&self, line: String) {
        if self.bar.is_hidden() && self.since_line.get().elapsed() >= LINE_EVERY {
            self.since_line.set(Stopwatch::start());
            output::note(&line);
        }
        self.bar.set_message(line);
    }

    /// Prints a message at once, above the bar.
    pub(crate) fn note(&self, message: &str) {
        self.bar.suspend(|| output::note(message));
    }

    /// Removes the bar from the terminal.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
