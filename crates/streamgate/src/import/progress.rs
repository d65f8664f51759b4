//! How far an import is: a bar on a terminal, else a line every few seconds.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{HumanCount, HumanFloatCount, ProgressBar, ProgressState, ProgressStyle};
use streamgate_clock::Stopwatch;

use crate::output;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far an import is, on standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    total: Option<u64>,
    since_start: Stopwatch,
    since_line: Mutex<Stopwatch>,
    /// The last note.
    said: Mutex<String>,
}

impl Progress {
    /// Begins; `total` is the number of users where it is known.
    pub(super) fn of(total: Option<u64>) -> Self {
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{wide_bar} {human_pos} of {human_len} users, {rate}, {eta} left",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {human_pos} users, {rate}",
            ),
        };
        let style = ProgressStyle::with_template(template)
            .expect("the template is valid")
            .with_key(
                "rate",
                |state: &ProgressState, text: &mut dyn fmt::Write| {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{:.0} a second", HumanFloatCount(state.per_sec()));
                },
            );
        Self {
            // Hidden where standard error is no terminal.
            bar: bar.with_style(style),
            total,
            since_start: Stopwatch::start(),
            since_line: Mutex::new(Stopwatch::start()),
            said: Mutex::default(),
        }
    }

    /// So many more users are done.
    pub(super) fn add(&self, users: u64) {
        self.bar.inc(users);
        if !self.bar.is_hidden() {
            return;
        }
        let mut since_line = self
            .since_line
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if since_line.elapsed() >= LINE_EVERY {
            *since_line = Stopwatch::start();
            output::note(&self.line());
        }
    }

    /// Says something beside it; once where several say the same at a time.
    pub(super) fn note(&self, message: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != message {
            message.clone_into(&mut said);
            self.bar.suspend(|| output::note(message));
        }
    }

    /// Ends, and leaves no trace on the terminal.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self) -> String {
        let done = HumanCount(self.bar.position());
        let seconds = self.since_start.elapsed().as_secs().max(1);
        let rate = HumanCount(self.bar.position() / seconds);
        let of = self
            .total
            .map_or_else(String::new, |total| format!(" of {}", HumanCount(total)));
        format!("{done}{of} users, {rate} a second")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_many_of_how_many() {
        let progress = Progress::of(Some(1_000_000));
        progress.add(12_000);
        let line = progress.line();
        assert!(line.starts_with("12,000 of 1,000,000 users, "), "{line}");
        assert!(Progress::of(None).line().starts_with("0 users, "));
    }
}
