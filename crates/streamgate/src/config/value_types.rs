//! The kinds of settings: numbers, switches, words, lists, and text that means something.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use streamgate_core::TenantId;

use super::reader::{Ask, Reader};
use super::value::{Value, check_path, quoted};

impl Reader {
    /// A whole number.
    pub(crate) fn whole(&mut self, ask: Ask, default: u32, range: RangeInclusive<u32>) -> u32 {
        let takes = format!("whole number, {} to {}", range.start(), range.end());
        self.read(ask, takes, Some(default), u32::to_string, |value| {
            value.whole(&range)
        })
        .unwrap_or(default)
    }

    /// A whole number that may be left out.
    pub(crate) fn whole_or_none(&mut self, ask: Ask, range: RangeInclusive<u32>) -> Option<u32> {
        let takes = format!("whole number, {} to {}", range.start(), range.end());
        self.read(ask, takes, None, u32::to_string, |value| {
            value.whole(&range)
        })
    }

    /// A size that fits into 32 bits.
    pub(crate) fn size(&mut self, ask: Ask, default: usize, range: RangeInclusive<u32>) -> usize {
        let default = u32::try_from(default).unwrap_or(u32::MAX);
        self.whole(ask, default, range) as usize
    }

    /// A whole number of seconds.
    pub(crate) fn seconds(
        &mut self,
        ask: Ask,
        default: Duration,
        range: RangeInclusive<u32>,
    ) -> Duration {
        let default = u32::try_from(default.as_secs()).unwrap_or(u32::MAX);
        Duration::from_secs(self.whole(ask, default, range).into())
    }

    /// A whole number of milliseconds.
    pub(crate) fn millis(
        &mut self,
        ask: Ask,
        default: Duration,
        range: RangeInclusive<u32>,
    ) -> Duration {
        let default = u32::try_from(default.as_millis()).unwrap_or(u32::MAX);
        Duration::from_millis(self.whole(ask, default, range).into())
    }

    /// Text that `check` accepts; `None` if neither the setting nor the default is right.
    pub(crate) fn text(
        &mut self,
        ask: Ask,
        takes: &str,
        default: Option<&str>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        let default = default.map(str::to_owned);
        let show = |text: &String| quoted(text);
        self.read(ask, takes.to_owned(), default, show, |value| {
            let text = value.text()?;
            check(text)?;
            Ok(text.to_owned())
        })
    }

    /// Text that may be left out or empty.
    pub(crate) fn text_or_none(
        &mut self,
        ask: Ask,
        takes: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        self.text(ask, takes, Some(""), check)
            .filter(|text| !text.is_empty())
    }

    /// The path of a file that may be left out; `file` says which kind it is. The file itself is
    /// not read.
    pub(crate) fn path(&mut self, ask: Ask, file: &str) -> Option<String> {
        let takes = format!("the path of {file}");
        self.text_or_none(ask, &takes, |text| {
            if text.contains("-----BEGIN") {
                // Not repeated: it may be a key.
                return Err(format!("must be {takes}, not what is in it"));
            }
            check_path(text)
        })
    }

    /// The name of an organisation; the default one unless it is set.
    pub(crate) fn tenant(&mut self, ask: Ask) -> Option<TenantId> {
        let default = Some(TenantId::default_tenant());
        let show = |tenant: &TenantId| quoted(tenant.as_str());
        self.read(ask, "text".to_owned(), default, show, |value| {
            TenantId::new(value.text()?).map_err(|why| why.to_string())
        })
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, ask: Ask, default: bool) -> bool {
        let takes = "true or false".to_owned();
        self.read(ask, takes, Some(default), bool::to_string, Value::flag)
            .unwrap_or(default)
    }

    /// Text that is read into something.
    pub(crate) fn parsed<T>(&mut self, ask: Ask, takes: &str, default: Option<T>) -> Option<T>
    where
        T: FromStr<Err: Display> + ToString,
    {
        let show = |value: &T| quoted(&value.to_string());
        self.read(ask, takes.to_owned(), default, show, |value| {
            value
                .text()?
                .parse()
                .map_err(|error| format!("must be {takes}, is {value}: {error}"))
        })
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy + PartialEq>(
        &mut self,
        ask: Ask,
        default: T,
        words: &[(&'static str, T)],
    ) -> T {
        self.choice_or(ask, Some(default), words).unwrap_or(default)
    }

    /// One of some words, perhaps without a default.
    pub(crate) fn choice_or<T: Copy + PartialEq>(
        &mut self,
        ask: Ask,
        default: Option<T>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let quoted_words: Vec<String> = words.iter().map(|(word, _)| quoted(word)).collect();
        let takes = either(&quoted_words);
        let show = |value: &T| {
            let word = words.iter().find(|(_, known)| known == value);
            quoted(word.map_or("", |(word, _)| *word))
        };
        self.read(ask, takes.clone(), default, show, |value| {
            let text = value.text()?;
            let known = words.iter().find(|(word, _)| *word == text);
            known
                .map(|(_, known)| *known)
                .ok_or_else(|| format!("must be {takes}, is {value}"))
        })
    }

    /// A list of some words, each at most once.
    pub(crate) fn choices<T: Copy + PartialEq>(
        &mut self,
        ask: Ask,
        default: &[T],
        words: &[(&'static str, T)],
    ) -> Vec<T> {
        let quoted_words: Vec<String> = words.iter().map(|(word, _)| quoted(word)).collect();
        let one_of = either(&quoted_words);
        let show = |chosen: &Vec<T>| {
            let chosen = words.iter().filter(|(_, known)| chosen.contains(known));
            let chosen: Vec<String> = chosen.map(|(word, _)| quoted(word)).collect();
            format!("[{}]", chosen.join(", "))
        };
        let takes = format!("list of {one_of}");
        self.read(ask, takes, Some(default.to_vec()), show, |value| {
            let mut chosen = Vec::new();
            for text in value.texts()? {
                let known = words.iter().find(|(word, _)| *word == text);
                let (word, known) = known
                    .ok_or_else(|| format!("each entry must be {one_of}, is {}", quoted(&text)))?;
                if chosen.contains(known) {
                    return Err(format!("names {} twice", quoted(word)));
                }
                chosen.push(*known);
            }
            Ok(chosen)
        })
        .unwrap_or_else(|| default.to_vec())
    }

    /// A list of texts, each checked.
    pub(crate) fn texts(
        &mut self,
        ask: Ask,
        takes: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<String> {
        let show = |texts: &Vec<String>| {
            let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            format!("[{}]", texts.join(", "))
        };
        self.read(ask, takes.to_owned(), Some(Vec::new()), show, |value| {
            let texts = value.texts()?;
            texts.iter().try_for_each(|text| check(text))?;
            Ok(texts)
        })
        .unwrap_or_default()
    }
}

/// Joins words as in "`a`, `b` or `c`".
fn either(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
