//! The log events of the sources: every `tracing::info!`, `warn!` and `error!` of shipped code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use streamgate_testkit::repository;

/// The levels that the page documents, gravest first.
pub(crate) const LEVELS: [&str; 3] = ["error", "warn", "info"];

/// An event, by its message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The levels that it is logged at.
    pub(crate) levels: BTreeSet<&'static str>,
    /// The modules that log it.
    pub(crate) loggers: BTreeSet<String>,
    /// Its fields, by their names in the code.
    pub(crate) fields: BTreeSet<String>,
}

/// Every event of the workspace.
pub(crate) fn events() -> BTreeMap<String, Event> {
    let mut events = BTreeMap::new();
    for krate in fs::read_dir(repository("crates")).unwrap() {
        let krate = krate.unwrap();
        let name = krate.file_name().into_string().unwrap();
        if name == "streamgate-testkit" {
            continue;
        }
        let sources = krate.path().join("src");
        for file in rust_files(&sources) {
            let text = fs::read_to_string(&file).unwrap();
            let logger = logger(&name, file.strip_prefix(&sources).unwrap());
            let found = scan(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
            for found in found {
                let event: &mut Event = events.entry(found.message).or_default();
                event.levels.extend(found.levels);
                let logger = found.target.unwrap_or_else(|| logger.clone());
                event.loggers.insert(logger);
                event.fields.extend(found.fields);
            }
        }
    }
    events
}

/// The sources below a directory, without modules of tests.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap_or_default();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module path of a file, which `tracing` makes the logger.
fn logger(krate: &str, file: &Path) -> String {
    let mut parts = vec![krate.replace('-', "_")];
    parts.extend(
        file.with_extension("")
            .iter()
            .map(|it| it.to_str().unwrap().to_owned()),
    );
    if matches!(
        parts.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        parts.pop();
    }
    parts.join("::")
}

/// An event of one source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) message: String,
    pub(crate) levels: Vec<&'static str>,
    pub(crate) fields: Vec<String>,
    /// Its logger, where that is not the module.
    pub(crate) target: Option<String>,
}

/// The events of one source.
///
/// # Errors
/// What looks like an event and cannot be read.
pub(crate) fn scan(source: &str) -> Result<Vec<Found>, String> {
    let shipped = source
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    if shipped.contains("#[instrument") || shipped.contains("instrument(") {
        return Err("events of `#[instrument]` are not read; log with a macro".to_owned());
    }
    let mut found = Vec::new();
    for name in ["error", "warn", "info", "event", "$level"] {
        let call = format!("{name}!(");
        for (at, _) in shipped.match_indices(&call) {
            let before = &shipped[..at];
            if before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                continue; // Another macro: compile_error!
            }
            let Some(before) = before.strip_suffix("tracing::") else {
                return Err(format!(
                    "write tracing::{name}!, so that the event is found"
                ));
            };
            if before
                .lines()
                .next_back()
                .unwrap_or_default()
                .contains("//")
            {
                continue;
            }
            let arguments = arguments(&shipped[at + call.len()..])?;
            let (message, fields) = arguments.split_last().ok_or("an event without a message")?;
            let (target, fields) = match fields.split_first() {
                Some((first, rest)) if first.trim().starts_with("target:") => {
                    let target = first.trim().trim_start_matches("target:");
                    (Some(literal(target)?), rest)
                }
                _ => (None, fields),
            };
            found.push(Found {
                message: literal(message)?,
                levels: levels(shipped, name)?,
                fields: fields.iter().map(|field| field_name(field)).collect(),
                target,
            });
        }
    }
    Ok(found)
}

/// The levels of a macro. One that takes its level as `$level` is expanded by `line!(LEVEL)`.
fn levels(source: &str, name: &str) -> Result<Vec<&'static str>, String> {
    let of = |level: &&'static str| match name {
        "$level" => source.contains(&format!("line!({level})")),
        name => name == *level,
    };
    let levels: Vec<&'static str> = LEVELS.into_iter().filter(of).collect();
    if levels.is_empty() {
        return Err(format!("the level of tracing::{name}! is not read"));
    }
    Ok(levels)
}

/// The arguments of a call, whose text begins behind its opening parenthesis.
fn arguments(text: &str) -> Result<Vec<&str>, String> {
    let (mut arguments, mut begin, mut depth) = (Vec::new(), 0, 0);
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                while let Some((_, inside)) = characters.next() {
                    match inside {
                        '\\' => drop(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                arguments.push(&text[begin..at]);
                arguments.retain(|it: &&str| !it.trim().is_empty());
                return Ok(arguments);
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    Err("a macro without its end".to_owned())
}

/// The text of a string literal.
fn literal(argument: &str) -> Result<String, String> {
    let inside = argument
        .trim()
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'));
    let inside = inside.ok_or_else(|| format!("the message is no literal: {argument}"))?;
    let mut text = String::new();
    let mut rest = inside;
    // A backslash at the end of a line joins it with the next one, without its indentation.
    while let Some((line, next)) = rest.split_once("\\\n") {
        text.push_str(line);
        rest = next.trim_start();
    }
    text.push_str(rest);
    Ok(text.replace("\\\"", "\""))
}

/// The name of a field: `%error`, `?took`, `error = %error`, `error`.
fn field_name(argument: &str) -> String {
    let name = argument.split('=').next().unwrap_or_default().trim();
    name.trim_start_matches(['%', '?']).to_owned()
}
