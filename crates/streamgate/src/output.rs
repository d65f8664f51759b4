//! Everything that the commands print, and nothing else prints.
//!
//! Results go to standard output, errors and hints to standard error. A reader that went away
//! (`streamgate users list | head`) is no error.

#![expect(clippy::print_stderr, reason = "this is the one place that prints")]

use std::io::{self, Write};

use serde_json::Value;

/// Prints text as it is.
pub(crate) fn text(text: &str) {
    let mut out = io::stdout().lock();
    // Who does not read any more does not need to be told.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints a line.
pub(crate) fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// Prints JSON, indented.
pub(crate) fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// Prints rows below their headings, in columns. Says `none` where there are no rows.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>], none: &str) {
    if rows.is_empty() {
        line(none);
        return;
    }
    text(&columns(headings, rows));
}

fn columns(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|it| (*it).to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&headings).chain(rows);
        let widths = cells.filter_map(|row| row.get(column).map(|cell| cell.chars().count()));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut out = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Prints what went wrong, and what to do about it where that is known.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    eprintln!("error: {message}");
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
}

/// Prints something worth knowing that is no result.
pub(crate) fn note(message: &str) {
    eprintln!("{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["anna".to_owned(), "3".to_owned()].to_vec()];
        assert_eq!(columns(&["USER", "LIMIT"], &rows), "USER  LIMIT\nanna  3\n");
        let rows = [["jörg-maria".to_owned(), String::new()].to_vec()];
        assert_eq!(
            columns(&["USER", "PLAN"], &rows),
            "USER        PLAN\njörg-maria\n"
        );
    }
}
