//! A page that needs nothing but itself: no script, no font, no request.

use std::fmt::Write as _;

use super::plot::{AXIS, GRID, INK, SERIES};

/// A page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// What is said below it, as text.
    pub subtitle: String,
    /// What it consists of.
    pub sections: Vec<Section>,
    /// What is said at the end, as text.
    pub notes: Vec<String>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub struct Section {
    heading: String,
    /// HTML.
    body: String,
}

/// How it looks, in the light and in the dark. Colours of the plots follow below.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--paper:#fff;\
--card:#f6f8fa}\
body{margin:0 auto;max-width:64rem;padding:2rem 1rem 4rem;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif}\
h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .75rem}\
.subtitle,footer{color:var(--soft)}.subtitle{margin:.25rem 0 0}\
footer{margin-top:3rem;border-top:1px solid var(--line);font-size:.9rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.35rem .75rem;text-align:right;border-bottom:1px solid var(--line);\
white-space:nowrap}\
th{font-weight:600}th:first-child,td:first-child{text-align:left;padding-left:.2rem}\
figure{margin:0;padding:.75rem;background:var(--card);border:1px solid var(--line);\
border-radius:8px}\
svg{display:block;width:100%;height:auto}";

/// The colours of the dark, in the order of the light ones.
const DARK: &str =
    ":root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;--card:#151b23}";
const DARK_INK: &str = "#e6edf3";
const DARK_AXIS: &str = "#7d8590";
const DARK_GRID: &str = "#2f363d";
const DARK_SERIES: [&str; SERIES.len()] = [
    "#58a6ff", "#f0883e", "#3fb950", "#d2a8ff", "#ff7b72", "#39c5cf", "#f778ba", "#d29922",
];

impl Page {
    /// The whole page.
    #[must_use]
    pub fn html(&self) -> String {
        let (title, subtitle) = (escaped(&self.title), escaped(&self.subtitle));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>{STYLE}@media (prefers-color-scheme:dark){{{DARK}{}}}</style>\n</head>\n\
             <body>\n<h1>{title}</h1>\n<p class=\"subtitle\">{subtitle}</p>\n",
            dark_plots()
        );
        for Section { heading, body } in &self.sections {
            let heading = escaped(heading);
            // Writing to a String cannot fail.
            let _ = write!(page, "<section>\n<h2>{heading}</h2>\n{body}\n</section>\n");
        }
        page.push_str("<footer>\n");
        for note in &self.notes {
            let _ = writeln!(page, "<p>{}</p>", escaped(note));
        }
        page.push_str("</footer>\n</body>\n</html>\n");
        page
    }
}

impl Section {
    /// A heading, which is text, and HTML below it: a plot, or a table.
    #[must_use]
    pub fn new(heading: &str, body: String) -> Self {
        let is_plot = body.starts_with("<svg");
        Self {
            heading: heading.to_owned(),
            body: if is_plot {
                format!("<figure>{body}</figure>")
            } else {
                body
            },
        }
    }
}

/// A table as HTML; the cells are text, and the first row has the headings.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let mut table = String::from("<div class=\"wide\"><table>\n");
    for (place, row) in rows.iter().enumerate() {
        let tag = if place == 0 { "th" } else { "td" };
        let cells = row
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        let _ = writeln!(table, "<tr>{}</tr>", cells.collect::<String>());
    }
    table.push_str("</table></div>");
    table
}

/// Text as it stands in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Plots name their colours themselves; in the dark each is replaced by another.
fn dark_plots() -> String {
    let others = [(INK, DARK_INK), (AXIS, DARK_AXIS), (GRID, DARK_GRID)];
    let series = SERIES.into_iter().zip(DARK_SERIES);
    let mut style = String::new();
    for (light, dark) in others.into_iter().chain(series) {
        let light = format!("#{:02X}{:02X}{:02X}", light.0, light.1, light.2);
        let _ = write!(
            style,
            "svg [fill=\"{light}\"]{{fill:{dark}}}svg [stroke=\"{light}\"]{{stroke:{dark}}}"
        );
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let page = Page {
            title: "<b>&\"".to_owned(),
            subtitle: "a<c".to_owned(),
            sections: vec![Section::new("<h>", table(&[vec!["<x>".to_owned()]]))],
            notes: vec!["<script>".to_owned()],
        };
        let html = page.html();
        assert!(
            html.contains("<title>&lt;b&gt;&amp;&quot;</title>"),
            "{html}"
        );
        for raw in ["<b>", "a<c", "<h>", "<x>", "<script"] {
            assert!(!html.contains(raw), "{raw}");
        }
    }
}
