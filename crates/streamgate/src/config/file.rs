//! Parses a TOML file into values by path, each with its line.
//!
//! What is *not* here: which settings exist. `unknown.rs` reports what is no setting.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::entry::{Entries, Entry, KeyPath, Origin, Problem};
use super::value::Value;

/// Parses the text of a file. Lines that are wrong are reported, and the others are read.
pub(crate) fn entries_of(file: &str, text: &str, problems: &mut Vec<Problem>) -> Entries {
    let (document, errors) = DeTable::parse_recoverable(text);
    let broken = |error: &toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        origin(file, text, at)
    };
    for error in &errors {
        let message = format!("is not valid TOML: {}", error.message());
        problems.push(Problem::at(broken(error), message));
    }
    let mut collector = Collector {
        origin: &|at| origin(file, text, at),
        entries: Entries::default(),
    };
    collector.table(&KeyPath::root(), document.get_ref());
    // What the parser makes of a broken line is not what was written.
    let broken: Vec<Origin> = errors.iter().map(broken).collect();
    collector
        .entries
        .retain(|_, entry| !broken.contains(&entry.origin));
    collector.entries
}

/// Parses a TOML value in a variable or a flag.
pub(crate) fn entries_of_inline(
    path: &KeyPath,
    text: &str,
    from: &Origin,
    problems: &mut Vec<Problem>,
) -> Entries {
    let (value, errors) = DeValue::parse_recoverable(text);
    if let Some(error) = errors.first() {
        problems.push(Problem::setting(
            from.clone(),
            path.clone(),
            format!("is not a valid TOML value: {}", error.message()),
        ));
        return Entries::default();
    }
    let mut collector = Collector {
        origin: &|_| from.clone(),
        entries: Entries::default(),
    };
    collector.value(path, 0, value.get_ref());
    collector.entries
}

fn origin(file: &str, text: &str, at: usize) -> Origin {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    Origin::File {
        file: file.to_owned(),
        line,
    }
}

struct Collector<'a> {
    origin: &'a dyn Fn(usize) -> Origin,
    entries: Entries,
}

impl Collector<'_> {
    fn table(&mut self, path: &KeyPath, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = path.child(key.get_ref());
            self.value(&path, key.span().start, value.get_ref());
        }
    }

    fn value(&mut self, path: &KeyPath, at: usize, value: &DeValue<'_>) {
        let tables: Option<Vec<(&DeTable<'_>, usize)>> = value
            .as_array()
            .filter(|array| !array.is_empty())
            .and_then(|array| array.iter().map(table_and_place).collect());
        if let DeValue::Table(table) = value {
            self.insert(path.clone(), at, Value::Table);
            self.table(path, table);
        } else if let Some(tables) = tables {
            for (index, (table, at)) in tables.into_iter().enumerate() {
                let path = path.item(index);
                self.insert(path.clone(), at, Value::Table);
                self.table(&path, table);
            }
        } else {
            self.insert(path.clone(), at, plain(value));
        }
    }

    fn insert(&mut self, path: KeyPath, at: usize, value: Value) {
        let origin = (self.origin)(at);
        self.entries.insert(path, Entry { value, origin });
    }
}

fn table_and_place<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Option<(&'a DeTable<'i>, usize)> {
    Some((value.get_ref().as_table()?, value.span().start))
}

/// A value that is no table and no list of tables.
fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Other(number.as_str().to_owned()), Value::Whole),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(values) => {
            Value::List(values.iter().map(|value| plain(value.get_ref())).collect())
        }
        DeValue::Float(number) => Value::Other(number.as_str().to_owned()),
        DeValue::Datetime(time) => Value::Other(time.to_string()),
        DeValue::Table(_) => Value::Table,
    }
}
