//! Settings that name a file, which is read at once.

use std::convert::Infallible;
use std::fmt::Display;

use crate::config::reader::{Ask, Reader};

/// Reads a file into something; `None` if none is named, or it is wrong, which is reported.
pub(super) fn read<T, E: Display>(
    reader: &mut Reader,
    ask: Ask,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Option<T> {
    let name = reader.path(ask, "a file")?;
    parsed(reader, ask, &name, parse)
}

/// The bytes of a file; `None` if it cannot be read, which is reported.
pub(super) fn contents(reader: &mut Reader, ask: Ask, file: &str) -> Option<Vec<u8>> {
    parsed(reader, ask, file, |bytes| {
        Ok::<_, Infallible>(bytes.to_vec())
    })
}

/// What is in a file; `None` if it is wrong, which is reported.
pub(super) fn parsed<T, E: Display>(
    reader: &mut Reader,
    Ask(setting, _): Ask,
    file: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Option<T> {
    let read = std::fs::read(file).map_err(|error| format!("which cannot be read: {error}"));
    let parsed = read.and_then(|bytes| parse(&bytes).map_err(|why| format!("which {why}")));
    parsed
        .map_err(|why| reader.wrong_here(setting, format!("names {file}, {why}")))
        .ok()
}
