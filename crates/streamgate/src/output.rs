//! Everything that the commands print, and nothing else prints.
//!
//! Results go to standard output. A result that could not be written is an error of the command
//! ([`finish`]), except if the reader of a pipe closed it (`streamgate users list | head`). Errors,
//! hints and the log go to standard error through one queue, so that neither a server nor the end
//! of a command waits for it.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{self, PollFd, PollFlags, Timespec};
use serde_json::Value;
use streamgate_clock::Stopwatch;
use streamgate_server::telemetry::LineQueue;

use crate::exit::{Code, Failure};

/// How long the end of the process waits for the last lines of standard error, if that takes none.
const STALLED_MAX: Duration = Duration::from_millis(500);

/// The same if standard error would take them: then a busy machine has not run the thread yet.
const LATE_MAX: Duration = Duration::from_secs(5);

/// Standard error. The writer has a descriptor of its own, because the one of the standard library
/// is locked while a write stalls.
static STDERR: LazyLock<LineQueue> =
    LazyLock::new(|| match io::stderr().as_fd().try_clone_to_owned() {
        Ok(own) => LineQueue::start(File::from(own)),
        Err(_) => LineQueue::start(io::stderr()),
    });

/// Why standard output failed first.
static STDOUT_ERROR: Mutex<Option<io::Error>> = Mutex::new(None);

/// The queue of standard error, for the log.
pub(crate) fn log() -> &'static LineQueue {
    &STDERR
}

/// Waits until the queue is written: for half a second at most if standard error stalls, for five
/// if only the thread is late.
pub(crate) fn flush_log() {
    let waited = Stopwatch::start();
    while !STDERR.flush(STALLED_MAX) && stderr_is_ready() && waited.elapsed() < LATE_MAX {}
}

/// Whether a write to standard error would return at once.
fn stderr_is_ready() -> bool {
    let stderr = io::stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    event::poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Prints text as it is. Its failure is kept for [`finish`].
pub(crate) fn text(text: &str) {
    let mut failed = stdout_error();
    if failed.is_some() {
        return;
    }
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    *failed = written.err();
}

/// Prints text without waiting for it: a server must not depend on the reader of its banner.
pub(crate) fn text_unawaited(text: String) {
    let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned() else {
        return;
    };
    // Without a thread, or if the output fails, there is no banner; the server runs.
    let _ = std::thread::Builder::new()
        .name("banner".to_owned())
        .spawn(move || File::from(stdout).write_all(text.as_bytes()));
}

/// Whether all results were written. A pipe that was closed by its reader is no error.
///
/// # Errors
/// Standard output failed otherwise.
pub(crate) fn finish() -> Result<(), Failure> {
    match &*stdout_error() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritten(error)),
        _ => Ok(()),
    }
}

/// The same for a result that cannot be had a second time: here a closed pipe is an error.
///
/// # Errors
/// Standard output failed.
pub(crate) fn finish_once() -> Result<(), Failure> {
    stdout_error()
        .as_ref()
        .map_or(Ok(()), |error| Err(unwritten(error)))
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::new(
        Code::Problem,
        format!("cannot write to standard output: {error}"),
    )
}

fn stdout_error() -> std::sync::MutexGuard<'static, Option<io::Error>> {
    STDOUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints a line.
pub(crate) fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// Prints JSON, indented.
pub(crate) fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// Prints rows below their headings, in columns; `none` if there are no rows.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>], none: &str) {
    if rows.is_empty() {
        line(none);
        return;
    }
    text(&columns(headings, rows));
}

fn columns(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|it| (*it).to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&headings).chain(rows);
        let widths = cells.filter_map(|row| row.get(column).map(|cell| cell.chars().count()));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut out = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Prints what went wrong, and what to do about it if that is known.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    let hint = hint.map(|hint| format!("hint: {hint}\n"));
    say(&format!("error: {message}\n{}", hint.unwrap_or_default()));
}

/// Prints a line to standard error.
pub(crate) fn note(message: &str) {
    say(&format!("{message}\n"));
}

/// The same for a text that is shown only once.
///
/// # Errors
/// It could not be shown.
pub(crate) fn note_once(message: &str) -> Result<(), Failure> {
    let dropped = STDERR.dropped();
    note(message);
    if STDERR.flush(Duration::ZERO) && STDERR.dropped() == dropped {
        Ok(())
    } else {
        Err(Failure::new(
            Code::Problem,
            "cannot write to standard error",
        ))
    }
}

/// Prints text to standard error, after everything that was printed before it.
pub(crate) fn say(text: &str) {
    if STDERR.is_running() {
        STDERR.push(text.as_bytes(), true);
        flush_log();
    } else {
        // Without the thread of the queue, it is written here.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["anna".to_owned(), "3".to_owned()].to_vec()];
        assert_eq!(columns(&["USER", "LIMIT"], &rows), "USER  LIMIT\nanna  3\n");
        let rows = [["jörg-maria".to_owned(), String::new()].to_vec()];
        assert_eq!(
            columns(&["USER", "PLAN"], &rows),
            "USER        PLAN\njörg-maria\n"
        );
    }
}
