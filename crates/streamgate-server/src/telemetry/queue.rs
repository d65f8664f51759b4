//! The log queue: bounded in bytes, non-blocking, written to its sink by one thread.
//!
//! A sink can stall (a pipe without a reader, a terminal on hold) or fail (a closed pipe, a full
//! disk), temporarily or permanently. A line that does not fit into the queue, or that the sink
//! refuses, is dropped and counted. Only the writer thread waits for the sink.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::counter::Counter;
use streamgate_clock::Stopwatch;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Most bytes in the queue. The writer thread can hold as many again.
pub const QUEUE_MAX_BYTES: usize = 1 << 20;

/// Space reserved for warnings and errors: a flood of other lines must not displace the one that
/// says why the process ends.
const URGENT_BYTES: usize = QUEUE_MAX_BYTES / 8;

/// Delay before the writer retries a sink that would block (`EAGAIN`).
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Least time between two warnings about dropped lines.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A bounded queue of lines, and the thread that writes them. Clones share it.
#[derive(Clone)]
pub struct LineQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Signalled when the queue is no longer empty.
    filled: Condvar,
    /// Signalled when every line is written or dropped.
    drained: Condvar,
    dropped: Counter,
}

#[derive(Default)]
struct State {
    waiting: Lines,
    /// The writer thread holds a batch.
    is_writing: bool,
    /// There is a writer thread.
    is_running: bool,
}

/// Lines, one after the other. One of them may have line breaks within it.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many lines do not end within the first bytes, `written` in number.
    fn behind(&self, written: usize) -> u64 {
        let whole = self.ends.partition_point(|end| *end <= written);
        (self.ends.len() - whole) as u64
    }
}

impl State {
    fn is_drained(&self) -> bool {
        !self.is_running || (self.waiting.is_empty() && !self.is_writing)
    }
}

impl LineQueue {
    /// Starts the thread that writes to `sink`. If no thread can be started, every line is dropped.
    pub fn start(sink: impl Write + Send + 'static) -> Self {
        let queue = Self(Arc::new(Shared {
            state: Mutex::new(State::default()),
            filled: Condvar::new(),
            drained: Condvar::new(),
            dropped: Counter::default(),
        }));
        let shared = Arc::clone(&queue.0);
        let spawned = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || shared.write_forever(sink));
        queue.0.state.lock().is_running = spawned.is_ok();
        queue
    }

    /// Whether the writer thread was started.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.state.lock().is_running
    }

    /// Queues a line, with its line break, or drops it if it does not fit. Never blocks.
    pub fn push(&self, line: &[u8], is_urgent: bool) {
        let room = if is_urgent {
            QUEUE_MAX_BYTES
        } else {
            QUEUE_MAX_BYTES - URGENT_BYTES
        };
        let mut state = self.0.state.lock();
        if !state.is_running || state.waiting.bytes.len() + line.len() > room {
            drop(state);
            self.0.dropped.inc();
            return;
        }
        state.waiting.push(line);
        // A writer that holds a batch checks the queue before it waits.
        if !state.is_writing {
            self.0.filled.notify_one();
        }
    }

    /// Waits until all lines are written or dropped, at most for `patience`; whether they are.
    pub fn flush(&self, patience: Duration) -> bool {
        let mut state = self.0.state.lock();
        let is_busy = |state: &mut State| !state.is_drained();
        let waited = self.0.drained.wait_while_for(&mut state, is_busy, patience);
        !waited.timed_out()
    }

    /// The number of lines dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.get()
    }

    /// [`dropped`](Self::dropped) as a metric.
    pub(crate) fn dropped_counter(&self) -> Counter {
        self.0.dropped.clone()
    }
}

impl Shared {
    fn write_forever(&self, mut sink: impl Write) {
        let mut batch = Lines::default();
        let mut sink_is_in_line = false;
        let mut reported = self.dropped.get();
        let mut since_report: Option<Stopwatch> = None;
        loop {
            self.take(&mut batch);
            let written = write_batch(&mut sink, &batch, sink_is_in_line);
            sink_is_in_line = written.ends_in_line;
            self.dropped.inc_by(written.lost);
            let dropped = self.dropped.get();
            let is_due = since_report
                .as_ref()
                .is_none_or(|since| since.elapsed() >= REPORT_EVERY);
            // Wait for a batch that the sink took whole: it would refuse this line as well.
            if dropped > reported && written.lost == 0 && is_due {
                tracing::warn!(
                    lines = dropped - reported,
                    "log lines were dropped: they came faster than they could be written"
                );
                reported = dropped;
                since_report = Some(Stopwatch::start());
            }
        }
    }

    /// Swaps a written batch for the lines queued since.
    fn take(&self, batch: &mut Lines) {
        batch.clear();
        let mut state = self.state.lock();
        state.is_writing = false;
        if state.waiting.is_empty() {
            self.drained.notify_all();
        }
        while state.waiting.is_empty() {
            self.filled.wait(&mut state);
        }
        std::mem::swap(&mut state.waiting, batch);
        state.is_writing = true;
    }
}

/// The result of writing a batch.
struct Written {
    /// Lines not written completely.
    lost: u64,
    /// The sink has the beginning of a line without its end.
    ends_in_line: bool,
}

/// Writes lines up to the first error; the rest is lost.
fn write_batch(sink: &mut impl Write, lines: &Lines, sink_is_in_line: bool) -> Written {
    // End an incomplete line first, so that it does not merge with the next one.
    if sink_is_in_line && write_patiently(sink, b"\n") == 0 {
        return Written {
            lost: lines.behind(0),
            ends_in_line: true,
        };
    }
    let written = write_patiently(sink, &lines.bytes);
    let last = lines.bytes[..written].last();
    Written {
        lost: lines.behind(written),
        ends_in_line: last.is_some_and(|byte| *byte != b'\n'),
    }
}

/// Writes until everything is written or the sink fails, however long it takes. Returns the number
/// of bytes written.
fn write_patiently(sink: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match sink.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process can set a shared pipe or terminal to non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::park_timeout(RETRY_AFTER);
            }
            Err(_) => break,
        }
    }
    written
}

/// A writer of one line into the queue.
#[derive(Debug)]
pub struct QueuedLine<'a> {
    queue: &'a LineQueue,
    is_urgent: bool,
}

impl Write for QueuedLine<'_> {
    /// Queues a whole line. Never fails: the caller could do nothing about it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue.push(line, self.is_urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineQueue {
    type Writer = QueuedLine<'a>;

    fn make_writer(&'a self) -> QueuedLine<'a> {
        QueuedLine {
            queue: self,
            is_urgent: false,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> QueuedLine<'a> {
        QueuedLine {
            queue: self,
            is_urgent: *metadata.level() <= Level::WARN,
        }
    }
}

impl fmt::Debug for LineQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineQueue")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Longer than any of these tests takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A sink that sends every write to the test, and returns the result that the test sends back.
    struct Remote {
        writes: Sender<Vec<u8>>,
        answers: Receiver<io::Result<usize>>,
    }

    impl Write for Remote {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.writes.send(bytes.to_vec());
            // Once the test is over it takes everything.
            self.answers.recv().unwrap_or(Ok(bytes.len()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn remote() -> (LineQueue, Receiver<Vec<u8>>, Sender<io::Result<usize>>) {
        let (writes, written) = channel();
        let (answer, answers) = channel();
        (
            LineQueue::start(Remote { writes, answers }),
            written,
            answer,
        )
    }

    #[test]
    fn a_push_never_waits_for_a_stalled_sink_and_what_does_not_fit_is_counted() {
        let (queue, written, _answer) = remote();
        queue.push(b"first\n", false);
        assert_eq!(written.recv().unwrap(), b"first\n");
        // The sink has it and does not answer. From here on everything waits in the queue.
        let line = vec![b'x'; QUEUE_MAX_BYTES / 16];
        for _ in 0..14 {
            queue.push(&line, false);
        }
        assert_eq!(queue.dropped(), 0);
        queue.push(&line, false);
        assert_eq!(queue.dropped(), 1, "the rest is for warnings and errors");
        queue.push(&line, true);
        queue.push(&line, true);
        assert_eq!(queue.dropped(), 1);
        queue.push(&line, true);
        assert_eq!(queue.dropped(), 2);
        let begun = Stopwatch::start();
        assert!(!queue.flush(Duration::from_millis(20)));
        assert!(begun.elapsed() < PATIENCE);
    }

    #[test]
    fn lines_that_the_sink_refuses_are_counted_and_later_ones_are_written() {
        let (queue, written, answer) = remote();
        for error in [ErrorKind::BrokenPipe, ErrorKind::StorageFull] {
            answer.send(Err(error.into())).unwrap();
            let before = queue.dropped();
            queue.push(b"lost\n", false);
            assert_eq!(written.recv().unwrap(), b"lost\n");
            assert!(queue.flush(PATIENCE));
            assert_eq!(queue.dropped(), before + 1);
        }
        answer.send(Ok(5)).unwrap();
        queue.push(b"good\n", false);
        assert!(queue.flush(PATIENCE));
        assert_eq!(
            (written.recv().unwrap(), queue.dropped()),
            (b"good\n".to_vec(), 2)
        );
    }

    fn lines(each: &[&str]) -> Lines {
        let mut lines = Lines::default();
        for line in each {
            lines.push(line.as_bytes());
        }
        lines
    }

    #[test]
    fn a_line_with_line_breaks_in_it_is_lost_once() {
        let lines = lines(&["one\n", "two: a\nb\nc\n", "three\n"]);
        for (taken, lost) in [
            (0, 3),
            (3, 3),
            (4, 2),
            (13, 2),
            (14, 2),
            (15, 1),
            (20, 1),
            (21, 0),
        ] {
            let refused = Err(ErrorKind::StorageFull.into());
            let mut sink = Script {
                answers: [Ok(taken), refused].into(),
                taken: Vec::new(),
            };
            let written = write_batch(&mut sink, &lines, false);
            assert_eq!(written.lost, lost, "{taken} bytes were taken");
        }
    }

    #[test]
    fn half_a_line_is_ended_before_the_next_one() {
        let lines = &lines(&["one\n", "two\n", "three\n"]);
        let mut sink = Script {
            answers: [Ok(6), Err(ErrorKind::StorageFull.into())].into(),
            taken: Vec::new(),
        };
        let written = write_batch(&mut sink, lines, false);
        assert_eq!((written.lost, written.ends_in_line), (2, true));
        sink.answers = [
            Ok(1),
            Err(ErrorKind::Interrupted.into()),
            Err(ErrorKind::WouldBlock.into()),
            Ok(14),
        ]
        .into();
        let written = write_batch(&mut sink, lines, true);
        assert_eq!((written.lost, written.ends_in_line), (0, false));
        assert_eq!(sink.taken, b"one\ntw\none\ntwo\nthree\n");
    }

    struct Script {
        answers: VecDeque<io::Result<usize>>,
        taken: Vec<u8>,
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let took = self.answers.pop_front().expect("one answer a write")?;
            self.taken.extend_from_slice(&bytes[..took]);
            Ok(took)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
