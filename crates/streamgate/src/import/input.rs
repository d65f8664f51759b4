//! The file that is imported, or standard input: its rows, and why it cannot be read.
//!
//! An export of a table is read row by row and may be larger than memory. A document (`db.json`,
//! `database.json`, a scan) is read whole, as the system that wrote it kept it in memory too.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::slice;

use serde::Deserialize as _;
use serde_json::{Deserializer, Map, Value};

use super::{Each, Place, System, check, session_tracker, stream_requests, user_streams};
use crate::exit::{Code, Failure};

/// The first byte of a gzip file. No JSON begins with it.
const GZIP: u8 = 0x1f;
/// Some editors write it in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file of an earlier system.
#[derive(Debug)]
pub(crate) struct Input {
    system: System,
    /// `None` is standard input.
    path: Option<PathBuf>,
}

impl Input {
    /// The file at this path; `-` is standard input.
    pub(crate) fn new(system: System, path: &Path) -> Self {
        let path = (path != Path::new("-")).then(|| path.to_owned());
        Self { system, path }
    }

    /// Whether it can be read a second time. A named pipe cannot.
    pub(crate) fn is_repeatable(&self) -> bool {
        let metadata = self.path.as_ref().map(std::fs::metadata);
        matches!(metadata, Some(Ok(metadata)) if metadata.is_file())
    }

    /// Reads it from beginning to end.
    pub(crate) fn read(&self, each: &mut Each<'_>) -> Result<(), Failure> {
        let mut row = |at, row| check::found(at, row).into_iter().try_for_each(&mut *each);
        match self.system {
            System::SessionTracker => self.rows(|at, it| row(at, session_tracker::user(it))),
            System::UserStreams => self.members(user_streams::USERS, |key, it| {
                row(Place::key(key), user_streams::user(key, it))
            }),
            System::StreamRequests => self.members(stream_requests::USERS, |key, it| {
                row(Place::key(key), stream_requests::user(key, it))
            }),
        }
    }

    /// Gives the rows of a table: one JSON value a row, a list, or a document with `Items`.
    fn rows(
        &self,
        mut each: impl FnMut(Place, &Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (reader, line) = self.open()?;
        let mut row = 0;
        for value in Deserializer::from_reader(reader).into_iter::<Value>() {
            let value = value.map_err(|error| self.broken(&error))?;
            self.check_system(&value)?;
            let (rows, line) = match value.get("Items").unwrap_or(&value) {
                Value::Array(rows) => (rows.as_slice(), None),
                Value::Object(_) => (slice::from_ref(&value), Some(line.get())),
                _ => return Err(self.not_of("expected an object or a list of objects", None)),
            };
            for value in rows {
                row += 1;
                if row == 1 && session_tracker::member(value, "user_id").is_none() {
                    return Err(self.not_of("its first row has no \"user_id\"", None));
                }
                each(Place::Row { row, line }, value)?;
            }
        }
        Ok(())
    }

    /// Gives the members of the object at `path` of a document.
    fn members(
        &self,
        path: &[&str],
        mut each: impl FnMut(&str, &Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (reader, _) = self.open()?;
        let mut json = Deserializer::from_reader(reader);
        let document = Value::deserialize(&mut json).map_err(|error| self.broken(&error))?;
        self.check_system(&document)?;
        json.end().map_err(|error| self.broken(&error))?;
        let mut users = &document;
        for name in path {
            let missing = || self.not_of(&format!("it has no {:?}", path.join(".")), None);
            users = self.object(users)?.get(*name).ok_or_else(missing)?;
        }
        self.object(users)?
            .iter()
            .try_for_each(|(key, row)| each(key, row))
    }

    fn object<'a>(&self, value: &'a Value) -> Result<&'a Map<String, Value>, Failure> {
        let other = || self.not_of("expected an object", None);
        value.as_object().ok_or_else(other)
    }

    /// Fails if a member at the top shows that the file is of another system.
    fn check_system(&self, value: &Value) -> Result<(), Failure> {
        for name in value.as_object().into_iter().flat_map(Map::keys) {
            let system = System::with_member(name);
            if system.is_some_and(|system| system != self.system) {
                return Err(self.not_of(&format!("it has {name:?}"), system));
            }
        }
        Ok(())
    }

    /// Opens it, with the number of the line that is being read.
    fn open(&self) -> Result<(impl Read, Rc<Cell<u64>>), Failure> {
        let file: Box<dyn Read> = match &self.path {
            None => Box::new(io::stdin()),
            Some(path) => Box::new(File::open(path).map_err(|error| self.unreadable(&error))?),
        };
        let mut file = BufReader::with_capacity(64 * 1024, file);
        let start = file.fill_buf().map_err(|error| self.unreadable(&error))?;
        if start.first() == Some(&GZIP) {
            let message = format!("{} is compressed", self.name());
            let from = self.system.name();
            return Err(Failure::new(Code::Problem, message).hint(format!(
                "unpack it on the way: gunzip -c FILE | streamgate import --from {from} -"
            )));
        }
        if start.starts_with(BYTE_ORDER_MARK) {
            file.consume(BYTE_ORDER_MARK.len());
        }
        let line = Rc::new(Cell::new(1));
        let number = Rc::clone(&line);
        Ok((CountLines { file, number }, line))
    }

    fn name(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "standard input".to_owned(),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        let message = format!("{} cannot be read: {error}", self.name());
        Failure::new(Code::Usage, message)
            .hint("name the file of the other system, or - for standard input")
    }

    /// It cannot be read further.
    fn broken(&self, error: &serde_json::Error) -> Failure {
        if let Some(kind) = error.io_error_kind() {
            return self.unreadable(&kind.into());
        }
        let message = format!("{} is not valid JSON: {error}", self.name());
        let failure = Failure::new(Code::Problem, message);
        if error.is_eof() {
            return failure.hint("it ends too early: make or copy it again");
        }
        failure.hint(format!("is it a file of --from {}?", self.system.name()))
    }

    /// It is JSON, but not of this system; perhaps of another.
    fn not_of(&self, why: &str, other: Option<System>) -> Failure {
        let (name, from) = (self.name(), self.system.name());
        let message = format!("{name} is no file of --from {from}: {why}");
        Failure::new(Code::Problem, message).hint(match other {
            Some(other) => format!("it looks like one of --from {}", other.name()),
            None => "the systems are listed by `streamgate import --help`".to_owned(),
        })
    }
}

/// A reader that counts lines. serde_json reads byte by byte, so that the number is that of the
/// line on which the last value ended.
struct CountLines<R> {
    file: R,
    number: Rc<Cell<u64>>,
}

impl<R: Read> Read for CountLines<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        let ends = into[..read].iter().filter(|byte| **byte == b'\n').count();
        self.number.set(self.number.get() + ends as u64);
        Ok(read)
    }
}
