//! The settings that count, as `streamgate config show` prints them.

use std::fmt::Write as _;

use streamgate_server::ChangedSetting;

use super::Loaded;
use super::layers::{LISTS, list_of};
use super::reader::Declared;

/// The settings that count, as a file, each with where it came from.
pub(crate) fn effective(loaded: &Loaded) -> String {
    let mut out = String::new();
    let mut header = String::new();
    let lines: Vec<(String, &Declared)> = loaded
        .declared
        .iter()
        .filter_map(|it| Some((format!("{} = {}", it.name, it.value.as_ref()?), it)))
        .collect();
    for (line, declared) in lines {
        let table = header_of(declared);
        if table != header {
            let _ = writeln!(out, "\n{table}");
            header = table;
        }
        let _ = writeln!(out, "{line:<48} # {}", declared.origin);
    }
    out.trim_start().to_owned()
}

/// The settings that count and differ from their defaults; of keys and issuers, how many there are.
pub(crate) fn not_default(loaded: &Loaded) -> Vec<ChangedSetting> {
    let mut changed: Vec<ChangedSetting> = loaded
        .declared
        .iter()
        .filter(|it| !it.is_pattern && it.value != it.default)
        .map(|it| (it.path.to_string(), it))
        .filter(|(path, _)| list_of(path).is_none())
        .filter_map(|(name, it)| {
            Some(ChangedSetting {
                name,
                value: it.value.clone()?,
                default: it.default.clone(),
            })
        })
        .collect();
    let counts = [
        loaded.settings.server.keys.entries().len(),
        loaded.settings.tokens.issuers.len(),
    ];
    for (list, count) in LISTS.into_iter().zip(counts) {
        if count > 0 {
            changed.push(ChangedSetting {
                name: list.to_owned(),
                value: count.to_string(),
                default: Some("0".to_owned()),
            });
        }
    }
    changed
}

/// The header of the table that a setting stands in.
fn header_of(declared: &Declared) -> String {
    let path = declared.path.to_string();
    let table = path
        .strip_suffix(declared.name)
        .and_then(|table| table.strip_suffix('.'))
        .unwrap_or_default();
    match table.split_once('[') {
        _ if table.is_empty() => String::new(),
        // Two keys in a row need a header each: the index stands behind it.
        Some((list, index)) => format!("[[{list}]] # {}", index.trim_end_matches(']')),
        None => format!("[{table}]"),
    }
}
