//! The file that is imported, or standard input: opened, and its lines counted as they are read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::System;
use crate::exit::{Code, Failure};

/// The first byte of what gzip made. No JSON begins with it.
const GZIP: u8 = 0x1f;
/// What some editors write in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What to read.
#[derive(Debug)]
pub(crate) struct Input {
    /// `None` is standard input.
    path: Option<PathBuf>,
}

/// An opened input.
pub(super) struct Source {
    reader: BufReader<Box<dyn Read>>,
    line: Line,
}

/// The number of the line up to which a source was read, shared with who reads it.
#[derive(Clone)]
pub(super) struct Line(Rc<Cell<u64>>);

/// Why reading was given up, where the JSON is not to blame.
pub(super) enum Stop {
    /// Who got the rows failed.
    Failed(Failure),
    /// It is a file of another system, as the member of this name shows.
    Other(String, System),
}

impl Input {
    /// The file of this name; `-` is standard input.
    pub(crate) fn new(path: &Path) -> Self {
        let path = (path != Path::new("-")).then(|| path.to_owned());
        Self { path }
    }

    /// Whether it can be read a second time. A pipe that has a name cannot.
    pub(crate) fn is_repeatable(&self) -> bool {
        let metadata = self.path.as_ref().map(std::fs::metadata);
        matches!(metadata, Some(Ok(metadata)) if metadata.is_file())
    }

    /// What to call it.
    pub(crate) fn name(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "standard input".to_owned(),
        }
    }

    /// Opens it, from its beginning.
    pub(super) fn open(&self, system: System) -> Result<Source, Failure> {
        let reader: Box<dyn Read> = match &self.path {
            None => Box::new(io::stdin()),
            Some(path) => Box::new(File::open(path).map_err(|error| self.unreadable(&error))?),
        };
        let mut reader = BufReader::with_capacity(64 * 1024, reader);
        let start = reader.fill_buf().map_err(|error| self.unreadable(&error))?;
        if start.first() == Some(&GZIP) {
            let (name, from) = (self.name(), system.name());
            return Err(
                Failure::new(Code::Problem, format!("{name} is compressed")).hint(format!(
                    "unpack it on the way: gunzip -c FILE | streamgate import --from {from} -"
                )),
            );
        }
        if start.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        let line = Line(Rc::new(Cell::new(1)));
        Ok(Source { reader, line })
    }

    /// It cannot be read at all.
    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::new(
            Code::Usage,
            format!("{} cannot be read: {error}", self.name()),
        )
        .hint("name the file of the other system, or - for standard input")
    }

    /// How reading ended.
    pub(super) fn ended(
        &self,
        system: System,
        stopped: Option<Stop>,
        read: Result<(), serde_json::Error>,
    ) -> Result<(), Failure> {
        match (stopped, read) {
            (Some(Stop::Failed(failure)), _) => Err(failure),
            (Some(Stop::Other(name, other)), _) => {
                Err(self.not_of(system, &format!("it has {name:?}"), Some(other)))
            }
            (None, Err(error)) => Err(self.broken(system, &error)),
            (None, Ok(())) => Ok(()),
        }
    }

    /// Why reading ended too early.
    fn broken(&self, system: System, error: &serde_json::Error) -> Failure {
        let (name, from) = (self.name(), system.name());
        if let Some(kind) = error.io_error_kind() {
            return self.unreadable(&kind.into());
        }
        if error.is_data() {
            return self.not_of(system, &error.to_string(), None);
        }
        let failure = Failure::new(Code::Problem, format!("{name} is not valid JSON: {error}"));
        if error.is_eof() {
            return failure.hint("it ends too early: make or copy it again");
        }
        failure.hint(format!("is it a file of --from {from}?"))
    }

    /// It is JSON, but not that of the system; perhaps that of another.
    pub(super) fn not_of(&self, system: System, why: &str, other: Option<System>) -> Failure {
        let (name, from) = (self.name(), system.name());
        let failure = Failure::new(
            Code::Problem,
            format!("{name} is no file of --from {from}: {why}"),
        );
        match other {
            Some(other) => failure.hint(format!("it looks like one of --from {}", other.name())),
            None => failure.hint("the systems are listed by `streamgate import --help`"),
        }
    }
}

impl Source {
    /// The line up to which it was read.
    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }
}

impl Line {
    /// The number, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.0.get()
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Asked for byte by byte, so that the line is that of the row that was read last.
        let read = self.reader.read(into)?;
        let ends = into[..read].iter().filter(|byte| **byte == b'\n').count();
        if ends > 0 {
            self.line.0.set(self.line.0.get() + ends as u64);
        }
        Ok(read)
    }
}
