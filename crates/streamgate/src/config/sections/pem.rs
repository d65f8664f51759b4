//! Settings that name a file, which is read at once.

use std::fmt::Display;

use crate::config::reader::{Ask, Reader};
use crate::config::value::check_path;

/// Reads a file into something; `None` if none is named, or it is wrong, which is reported.
pub(super) fn read<T, E: Display>(
    reader: &mut Reader,
    ask: Ask,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Option<T> {
    let name = file_name(reader, ask)?;
    parsed(reader, ask, &name, parse)
}

/// The name of a file; `None` if none is named.
pub(super) fn file_name(reader: &mut Reader, ask: Ask) -> Option<String> {
    reader.text_or_none(ask, "the path of a file", |text| {
        if text.contains("-----BEGIN") {
            // Not repeated: it may be a key.
            return Err("must be the path of a file, not what is in it".to_owned());
        }
        check_path(text)
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
