//! Panics: a fault of the program ends the request it happened in, not the service.
//!
//! A step of the engine changes nothing until it has returned, so a panic within it leaves the
//! record as it was. Without the threads of the store nothing can be acknowledged, so a panic of
//! one of them ends the process, as a failing disk does.

use std::panic::{PanicHookInfo, set_hook};
use std::sync::Arc;

use streamgate_server::Metrics;

use crate::exit::{self, Code};

/// The prefix of the names of the embedded store's threads.
const STORE_THREADS: &str = "sg-";

/// Sends panics to the log, in one line, and counts them, from now on.
pub(crate) fn report(metrics: &Arc<Metrics>) {
    let metrics = Arc::clone(metrics);
    set_hook(Box::new(move |panic| {
        metrics.observe_panic();
        log(panic);
    }));
}

fn log(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let location = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let why = panic.payload_as_str().unwrap_or("no reason given");
    tracing::error!(
        thread = name,
        location,
        error = why,
        "a fault of Streamgate; please report this line"
    );
    if name.starts_with(STORE_THREADS) {
        tracing::error!(
            exit_code = Code::Store as i32,
            "the store cannot go on; exiting"
        );
        exit::now(Code::Store);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use streamgate_server::telemetry::{ErrorReports, LineQueue, LogFormat, Report, subscriber};

    use super::*;

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<Report>>);

    impl ErrorReports for Kept {
        fn report(&self, report: Report) {
            self.0.lock().unwrap().push(report);
        }

        fn flush(&self, _patience: Duration) -> bool {
            true
        }
    }

    /// Standard error whose reader has gone.
    struct Closed;

    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    /// A panic of the hook itself would abort the process, and this test with it.
    #[test]
    fn a_panic_that_cannot_be_written_anywhere_ends_its_request_only() {
        let queue = LineQueue::start(Closed);
        let (lines, _) = subscriber(LogFormat::Human, "info", &queue, None).unwrap();
        let _guard = tracing::subscriber::set_default(lines);
        set_hook(Box::new(log));
        for _ in 0..3 {
            let caught = std::panic::catch_unwind(|| panic!("an invariant does not hold"));
            assert!(caught.is_err());
        }
        drop(std::panic::take_hook());
        assert!(queue.flush(Duration::from_secs(60)), "dropped is done with");
        assert_ne!(queue.dropped(), 0, "the line could not be written");
    }

    /// Tests are processes of their own, so the hook is this test's alone.
    #[test]
    fn a_panic_is_an_error_report() {
        let kept = Arc::new(Kept::default());
        let queue = LineQueue::start(io::sink());
        let reports = Some(Arc::clone(&kept) as Arc<dyn ErrorReports>);
        let (lines, _) = subscriber(LogFormat::Human, "info", &queue, reports).unwrap();
        let _guard = tracing::subscriber::set_default(lines);
        set_hook(Box::new(log));
        let caught = std::panic::catch_unwind(|| panic!("an invariant does not hold"));
        drop(std::panic::take_hook());
        assert!(caught.is_err());
        let reports = kept.0.lock().unwrap();
        let [report] = &reports[..] else {
            panic!("{reports:?}")
        };
        assert_eq!(
            report.message,
            "a fault of Streamgate; please report this line"
        );
        assert_eq!(report.fields["error.message"], "an invariant does not hold");
        assert!(
            report.fields["labels.location"].contains("panics.rs"),
            "{report:?}"
        );
    }
}
