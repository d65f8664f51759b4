//! The documents that are committed: the default file and the reference.
//!
//! Both are made from what was declared, so neither can leave a setting out or show another
//! default. A test compares them with what is committed.

use std::fmt::Write as _;

use super::Loaded;
use super::reader::{Declared, Section};

/// The width of text in the default file.
const WIDTH: usize = 98;

/// A file with every setting, its explanation and its default, all in comments.
pub(crate) fn default_file(loaded: &Loaded) -> String {
    let mut out = String::new();
    out.push_str(
        "\
# Streamgate's settings. Everything here is a comment and shows the default; take away the
# `#` in front of a setting to change it.
#
# Every setting is also an environment variable (policy.lease_s: STREAMGATE_POLICY_LEASE_S)
# and a flag (--set policy.lease_s=60). A flag wins over the environment, the environment
# over this file. `streamgate config check --config FILE` finds mistakes.
",
    );
    for (index, section) in loaded.sections.iter().enumerate() {
        if !section.intro.is_empty() {
            out.push('\n');
            comment(&mut out, "# ", section.intro);
        }
        let is_pattern = !section.example.is_empty();
        if !is_pattern && !section.header.is_empty() {
            let _ = writeln!(out, "{}", section.header);
        }
        for declared in declared_in(loaded, index, is_pattern) {
            out.push_str(if is_pattern { "#\n" } else { "\n" });
            if is_pattern {
                let text = format!("{}: {} ({})", declared.name, declared.doc, terms(declared));
                comment(&mut out, "# ", &text);
            } else {
                comment(&mut out, "# ", declared.doc);
                comment(&mut out, "# ", &format!("({})", declared.takes));
                let default = declared.default.as_deref().unwrap_or_default();
                let _ = writeln!(out, "#{} = {default}", declared.name);
            }
        }
        write_example(&mut out, section);
    }
    out
}

/// A word on what a setting takes and what counts without it.
fn terms(declared: &Declared) -> String {
    match &declared.default {
        Some(default) => format!("{}; default {default}", declared.takes),
        None => declared.takes.clone(),
    }
}

fn write_example(out: &mut String, section: &Section) {
    if section.example.is_empty() {
        return;
    }
    out.push_str("#\n# For example:\n#\n");
    for line in section.example {
        let _ = writeln!(out, "{}", format!("#     {line}").trim_end());
    }
}

/// Writes text as comments, broken between words.
fn comment(out: &mut String, prefix: &str, text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && prefix.len() + line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{prefix}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "{prefix}{line}");
    }
}

fn declared_in(loaded: &Loaded, section: usize, patterns: bool) -> impl Iterator<Item = &Declared> {
    loaded
        .declared
        .iter()
        .filter(move |it| it.section == section && it.is_pattern == patterns)
}

/// The reference of all settings, in Markdown: `docs/configuration.md`.
pub(crate) fn reference(loaded: &Loaded) -> String {
    let mut out = String::new();
    out.push_str(include_str!("reference_head.md"));
    for (index, section) in loaded.sections.iter().enumerate() {
        let header = if section.header.is_empty() {
            "Top of the file".to_owned()
        } else {
            format!("`{}`", section.header)
        };
        let _ = write!(out, "\n## {header}\n\n");
        if !section.intro.is_empty() {
            let _ = write!(out, "{}\n\n", section.intro);
        }
        let is_pattern = !section.example.is_empty();
        if is_pattern {
            out.push_str("| setting | takes | default | what it is for |\n|---|---|---|---|\n");
        } else {
            out.push_str(
                "| setting | environment | takes | default | what it is for |\n\
                 |---|---|---|---|---|\n",
            );
        }
        for declared in declared_in(loaded, index, is_pattern) {
            let default = declared
                .default
                .as_ref()
                .map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
            let variable = if is_pattern {
                String::new()
            } else {
                format!("`{}` | ", declared.path.variable())
            };
            let _ = writeln!(
                out,
                "| `{}` | {variable}{} | {default} | {} |",
                declared.path, declared.takes, declared.doc
            );
        }
        if is_pattern {
            let _ = write!(out, "\n```toml\n{}\n```\n", section.example.join("\n"));
        }
    }
    deprecated_names(&mut out, loaded);
    out
}

fn deprecated_names(out: &mut String, loaded: &Loaded) {
    out.push_str(
        "\n## Deprecated names\n\nThese names still work in every place, the environment included \
         (`policy.laziness_s`: `STREAMGATE_POLICY_LAZINESS_S`). `streamgate config check` and the \
         log at the start warn of each. A setting that is given by both of its names is an \
         error.\n\n\
         | deprecated | use |\n|---|---|\n",
    );
    for name in &loaded.earlier_names {
        let _ = writeln!(out, "| `{}` | `{}` |", name.earlier, name.present);
    }
}
