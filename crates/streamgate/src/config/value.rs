//! A value as it was written, before its setting gives it a type.
//!
//! What is *not* here: which setting it belongs to (`layers.rs`), what may be set (the sections).

use std::fmt;
use std::ops::RangeInclusive;

/// A value of a file, an environment variable or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// From a variable or a flag, where everything is text: the setting decides what it means.
    Untyped(String),
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<Self>),
    /// A table exists here; what is in it stands in entries of its own.
    Table,
    /// Something that no setting takes (a fraction, a date), as it was written.
    Other(String),
}

impl Value {
    /// Reads a whole number within a range.
    pub(crate) fn whole(&self, range: &RangeInclusive<u32>) -> Result<u32, String> {
        let number = match self {
            Self::Whole(number) => Some(*number),
            Self::Untyped(text) => bare(text)?.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| format!("must be a whole number, is {self}"))?;
        u32::try_from(number)
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                format!("must be {low} to {high}, is {number}")
            })
    }

    /// Reads `true` or `false`.
    pub(crate) fn flag(&self) -> Result<bool, String> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Untyped(text) => match bare(text)? {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| format!("must be true or false, is {self}"))
    }

    /// Reads text, without the white space around it.
    pub(crate) fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) | Self::Untyped(text) => bare(text),
            _ => Err(format!("must be text, is {self}")),
        }
    }

    /// Reads a list of texts. A variable or flag names them with commas between.
    pub(crate) fn texts(&self) -> Result<Vec<String>, String> {
        match self {
            Self::List(values) => values
                .iter()
                .map(|value| value.text().map(str::to_owned))
                .collect::<Result<_, _>>()
                .map_err(|why| format!("each entry {why}")),
            Self::Untyped(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| bare(part).map(str::to_owned))
                .collect::<Result<_, _>>()
                .map_err(|why| format!("each entry {why}")),
            _ => Err(format!("must be a list of texts, is {self}")),
        }
    }
}

/// A value without the white space around it, which is never a part of it: lines of `.env` files
/// can end in a carriage return, and mounted secrets in a line break. Quotes around it were meant
/// for a shell that never read them. The error does not repeat the value, which may be a secret.
pub(crate) fn bare(text: &str) -> Result<&str, String> {
    let text = text.trim();
    let is_in = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if is_in('"') || is_in('\'') {
        return Err("must not have quotes around it: here they would be a part of it".to_owned());
    }
    Ok(text)
}

/// Checks that text is there.
pub(crate) fn not_empty(text: &str) -> Result<(), String> {
    match text {
        "" => Err("must not be empty".to_owned()),
        _ => Ok(()),
    }
}

/// Checks a path: only a shell replaces `~`, so here it would be a directory of that name.
pub(crate) fn check_path(text: &str) -> Result<(), String> {
    if text == "~" || text.starts_with("~/") {
        return Err(
            "must not begin with ~, which only a shell replaces: write the whole path".to_owned(),
        );
    }
    Ok(())
}

/// A path by both rules.
pub(crate) fn bare_path(text: &str) -> Result<&str, String> {
    let path = bare(text)?;
    check_path(path)?;
    Ok(path)
}

impl fmt::Display for Value {
    /// The value as a TOML file would have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untyped(text) | Self::Text(text) => f.write_str(&quoted(text)),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(values) => {
                let parts: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", parts.join(", "))
            }
            Self::Table => f.write_str("a table"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// A text in double quotes, as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_variable_is_a_number_and_its_range_is_named() {
        assert_eq!(Value::Untyped("7".to_owned()).whole(&(1..=9)), Ok(7));
        assert_eq!(
            Value::Untyped("10".to_owned()).whole(&(1..=9)),
            Err("must be 1 to 9, is 10".to_owned())
        );
        assert_eq!(
            Value::Text("7".to_owned()).whole(&(1..=9)),
            Err("must be a whole number, is \"7\"".to_owned())
        );
        assert!(Value::Whole(-1).whole(&(0..=9)).is_err());
    }

    #[test]
    fn white_space_around_a_value_is_no_part_of_it_and_quotes_are_refused() {
        let untyped = |text: &str| Value::Untyped(text.to_owned());
        for text in [" /data", "/data\r", "\t/data \n", "/data"] {
            assert_eq!(untyped(text).text(), Ok("/data"), "{text:?}");
            assert_eq!(Value::Text(text.to_owned()).text(), Ok("/data"), "{text:?}");
        }
        assert_eq!(untyped(" 7\r").whole(&(1..=9)), Ok(7));
        assert_eq!(untyped(" true\r").flag(), Ok(true));
        assert_eq!(untyped(" a \r").texts().unwrap(), ["a"]);
        for text in ["\"7\"", "'7'", " \"7\"\r", "\"\""] {
            let value = untyped(text);
            let errors = [
                value.text().err(),
                value.whole(&(1..=9)).err(),
                value.flag().err(),
                value.texts().err(),
                Value::Text(text.to_owned()).text().err(),
            ];
            for error in errors {
                assert!(error.is_some_and(|why| why.contains("quotes")), "{text}");
            }
        }
        for text in ["\"", "it's", "'a' b"] {
            assert_eq!(untyped(text).text(), Ok(text), "quotes within are text");
        }
    }

    #[test]
    fn a_path_that_only_a_shell_understands_is_refused() {
        for text in ["~", "~/data"] {
            assert!(check_path(text).is_err(), "{text}");
        }
        for text in ["/~/data", "~data", "./~"] {
            assert_eq!(check_path(text), Ok(()));
        }
    }

    #[test]
    fn lists_are_written_with_commas_outside_a_file() {
        let list = Value::Untyped("https://a.example, https://b.example,".to_owned());
        assert_eq!(
            list.texts().unwrap(),
            ["https://a.example", "https://b.example"]
        );
        assert_eq!(
            Value::List(vec![Value::Whole(1)]).texts(),
            Err("each entry must be text, is 1".to_owned())
        );
    }
}
