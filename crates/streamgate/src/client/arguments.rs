//! Arguments that a variable can set: they are read by the rule of the settings. White space around
//! a value is no part of it; quotes around it, and `~/` before a path, are refused.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

use crate::config::{bare, bare_path};

/// Text.
#[derive(Debug, Clone)]
pub(crate) struct TextParser;

/// The path of a file.
#[derive(Debug, Clone)]
pub(crate) struct PathParser;

impl TypedValueParser for TextParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        match bare(&text) {
            Ok(text) => Ok(text.to_owned()),
            Err(why) => Err(refused(command, argument, &why)),
        }
    }
}

impl TypedValueParser for PathParser {
    type Value = PathBuf;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<PathBuf, Error> {
        let path = OsStringValueParser::new().parse_ref(command, argument, value)?;
        let Some(text) = path.to_str() else {
            return Ok(path.into()); // Not all names of files are UTF-8.
        };
        match bare_path(text) {
            Ok(path) => Ok(path.into()),
            Err(why) => Err(refused(command, argument, &why)),
        }
    }
}

/// An error that names the argument and its variable, and does not repeat the value, which may be a
/// secret.
fn refused(command: &Command, argument: Option<&Arg>, why: &str) -> Error {
    let names = argument.map_or_else(String::new, |argument| {
        let variable = argument.get_env().map(OsStr::to_string_lossy);
        let variable = variable.map_or_else(String::new, |name| format!(" (or {name})"));
        format!("{argument}{variable} ")
    });
    Error::raw(ErrorKind::ValueValidation, format!("{names}{why}\n")).with_cmd(command)
}
