//! Rate limit of repeated log lines: a failure that repeats is one line a second, with its count.
//!
//! While a store is down, every request fails for the same cause, thousands a second. The first
//! line of a cause is logged at once; later ones are counted, and [`Repeats::report`] logs the
//! count. Only warnings and errors are limited: `debug` is switched on to see each line.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::fields::DURATION_US;

/// Most causes counted separately; the others share one count. More causes must not make more
/// lines, or a client could flood the log.
const CAUSES_MAX: usize = 64;

/// Longest text that identifies a cause, in bytes.
const CAUSE_MAX_BYTES: usize = 512;

/// The logger of the lines that sum up repeats.
pub(super) const TARGET: &str = module_path!();

/// Fields that differ between lines of the same cause.
const VOLATILE: [&str; 5] = ["request_id", DURATION_US, "route", "method", "waited_s"];

/// A layer that counts repeated lines. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Repeats(Arc<Mutex<Causes>>);

#[derive(Debug, Default)]
struct Causes {
    known: HashMap<String, Seen>,
    /// Lines of causes beyond [`CAUSES_MAX`].
    others: u64,
}

#[derive(Debug)]
struct Seen {
    level: Level,
    /// Lines suppressed since the last one logged.
    repeated: u64,
    /// A report was due since the first line was logged.
    is_reported: bool,
}

impl Repeats {
    /// Logs how often each cause repeated since its last line. Call it once a second.
    pub fn report(&self) {
        self.report_those(|seen| seen.is_reported);
    }

    /// The same without waiting a second for new causes: for the end of the process.
    pub fn report_all(&self) {
        self.report_those(|_| true);
    }

    fn report_those(&self, is_due: impl Fn(&Seen) -> bool) {
        let mut due = Vec::new();
        let mut causes = self.0.lock();
        causes.known.retain(|cause, seen| {
            if !is_due(seen) {
                // Its first line may be younger than a second.
                seen.is_reported = true;
                return true;
            }
            let repeated = std::mem::take(&mut seen.repeated);
            if repeated > 0 {
                due.push((seen.level, cause.clone(), repeated));
            }
            repeated > 0
        });
        let others = std::mem::take(&mut causes.others);
        drop(causes);
        for (level, line, repeated) in due {
            if level == Level::ERROR {
                tracing::error!(repeated, line, "the same line was logged repeatedly");
            } else {
                tracing::warn!(repeated, line, "the same line was logged repeatedly");
            }
        }
        if others > 0 {
            tracing::warn!(
                repeated = others,
                "further warnings and errors were logged, of too many causes to list them"
            );
        }
    }

    /// Whether to log a line of this cause; otherwise it is counted.
    fn passes(&self, level: Level, cause: String) -> bool {
        let mut causes = self.0.lock();
        if let Some(seen) = causes.known.get_mut(&cause) {
            seen.repeated += 1;
            return false;
        }
        if causes.known.len() >= CAUSES_MAX {
            causes.others += 1;
            return false;
        }
        causes.known.insert(
            cause,
            Seen {
                level,
                repeated: 0,
                is_reported: false,
            },
        );
        true
    }
}

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // Lines of this module are the reports.
        if *metadata.level() > Level::WARN || metadata.target() == TARGET {
            return true;
        }
        let mut cause = CauseText::default();
        event.record(&mut cause);
        self.passes(*metadata.level(), cause.finish())
    }
}

/// The text that identifies the cause of a line: its message and its stable fields.
#[derive(Default)]
struct CauseText {
    message: String,
    fields: String,
}

impl CauseText {
    fn finish(self) -> String {
        let mut text = self.message + &self.fields;
        text.truncate(text.floor_char_boundary(CAUSE_MAX_BYTES));
        text
    }
}

impl Visit for CauseText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else if !VOLATILE.contains(&field.name()) {
            let _ = write!(self.fields, " {}={value:?}", field.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{Registry, fmt as lines};

    use super::*;

    /// Runs something that logs; the lines, without their times.
    fn logged(repeats: &Repeats, run: impl FnOnce()) -> Vec<String> {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = {
            let text = Arc::clone(&text);
            move || Appender(Arc::clone(&text))
        };
        let layer = lines::layer()
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .with_writer(writer);
        let subscriber = Registry::default().with(layer).with(repeats.clone());
        tracing::subscriber::with_default(subscriber, run);
        let text = String::from_utf8(text.lock().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    struct Appender(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Appender {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn fail(request_id: u32, cause: &str) {
        tracing::warn!(request_id, status = 503, cause, "request");
    }

    #[test]
    fn a_cause_that_repeats_is_one_line_a_report_with_its_count() {
        let repeats = Repeats::default();
        let lines = logged(&repeats, || {
            for id in 0..1_000 {
                fail(id, "away");
                fail(id, "slow");
            }
            repeats.report(); // The first line may be younger than a second.
            fail(1_000, "away");
            repeats.report();
            repeats.report(); // Quiet: both are forgotten.
            fail(1_001, "away");
        });
        let sum = |times, cause| {
            format!(
                "WARN the same line was logged repeatedly repeated={times} line=\"request \
                status=503 cause=\\\"{cause}\\\"\""
            )
        };
        let mut sums = lines[2..4].to_vec();
        sums.sort();
        assert_eq!(sums, [sum(1_000, "away"), sum(999, "slow")]);
        assert_eq!(
            (&*lines[0], &*lines[4], lines.len()),
            (
                "WARN request request_id=0 status=503 cause=\"away\"",
                "WARN request request_id=1001 status=503 cause=\"away\"",
                5
            )
        );
    }

    #[test]
    fn lines_of_other_levels_and_other_causes_all_pass() {
        let repeats = Repeats::default();
        let lines = logged(&repeats, || {
            for i in 0..3 {
                tracing::info!("news");
                tracing::error!(i, "an error of its own");
            }
        });
        assert_eq!(lines.len(), 6, "{lines:?}");
    }

    #[test]
    fn the_number_of_causes_is_bounded() {
        let repeats = Repeats::default();
        let lines = logged(&repeats, || {
            for i in 0..10_000 {
                fail(0, &format!("{i} {}", "ü".repeat(CAUSE_MAX_BYTES)));
            }
            repeats.report_all();
        });
        assert_eq!(lines.len(), CAUSES_MAX + 1);
        let rest = 10_000 - CAUSES_MAX;
        assert!(
            lines[CAUSES_MAX].contains(&format!("repeated={rest}")),
            "{lines:?}"
        );
    }
}
