//! What a server does in the background, done behind an answer if it is due: reading the format
//! mark of the table, summing up repeated failures in the log, writing metrics and the log.

use std::time::Duration;

use streamgate_clock::passed_ms;
use streamgate_server::telemetry::Repeats;

use crate::output;
use crate::serve::REPORT_REPEATS_EVERY;
use crate::serve::format::{FormatWatch, READ_EVERY};

/// The work that falls due, and when it was done last.
pub(super) struct Upkeep {
    format: Box<dyn FormatWatch>,
    format_read_ms: u64,
    repeats: Repeats,
    repeats_reported_ms: u64,
}

impl Upkeep {
    pub(super) fn new(format: Box<dyn FormatWatch>, repeats: Repeats) -> Self {
        let now_ms = passed_ms();
        Self {
            format,
            format_read_ms: now_ms,
            repeats,
            repeats_reported_ms: now_ms,
        }
    }

    /// Does what is due. The time that the process was frozen counts.
    pub(super) async fn keep_up(&mut self) {
        if is_due(&mut self.format_read_ms, READ_EVERY) {
            self.format.look().await;
        }
        if is_due(&mut self.repeats_reported_ms, REPORT_REPEATS_EVERY) {
            self.repeats.report();
        }
        // What is not written now is written when the next event comes, or never.
        output::flush_log();
    }

    /// Writes what is left in the log.
    pub(super) fn end(&self) {
        self.repeats.report_all();
    }
}

/// Whether so much time has passed since the last time, which is then now.
fn is_due(last_ms: &mut u64, every: Duration) -> bool {
    let now_ms = passed_ms();
    let is_due = u128::from(now_ms.saturating_sub(*last_ms)) >= every.as_millis();
    if is_due {
        *last_ms = now_ms;
    }
    is_due
}
