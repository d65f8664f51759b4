//! The lines that a process prints, read as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a server may take to say something that it must say, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines that a thread reads as they come, so that a pipe never fills up.
#[derive(Debug)]
pub(super) struct Lines {
    lines: Receiver<String>,
    /// Everything that was received.
    pub(super) all: String,
}

impl Lines {
    pub(super) fn of(stream: impl Read + Send + 'static) -> Self {
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            lines,
            all: String::new(),
        }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.all.push_str(&line);
                self.all.push('\n');
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("silent for too long, after:\n{}", self.all),
        }
    }

    pub(super) fn wait_for(&mut self, text: &str) -> Option<String> {
        loop {
            let line = self.next()?;
            if line.contains(text) {
                return Some(line);
            }
        }
    }

    /// Everything, once the stream has ended.
    pub(super) fn rest(&mut self) -> String {
        while self.next().is_some() {}
        self.all.clone()
    }
}
