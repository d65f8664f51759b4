//! A report as a page of HTML that needs nothing but itself: no script, no font, no request.

use std::fmt::Write as _;

use super::escape::escaped;
use super::plot::SERIES;
use super::{Body, Report, Table};

/// How it looks, in light and in dark mode. Colours of the plots follow below.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--paper:#fff;\
--card:#f6f8fa}\
body{margin:0 auto;max-width:80rem;padding:2rem 1rem 4rem;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif}\
h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .75rem}\
.subtitle,footer{color:var(--soft)}.subtitle{margin:.25rem 0 0;white-space:pre-line}\
footer{margin-top:3rem;border-top:1px solid var(--line);font-size:.9rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.35rem .75rem;text-align:right;border-bottom:1px solid var(--line);\
white-space:nowrap}\
th{font-weight:600;white-space:normal;vertical-align:bottom}th:first-child,td:first-child{text-align:left;padding-left:.2rem}\
figure{margin:0;padding:.75rem;background:var(--card);border:1px solid var(--line);\
border-radius:8px}\
svg{display:block;width:100%;height:auto}\
svg text{fill:var(--ink);font-size:14px}svg line,svg polyline{fill:none;stroke-width:2}\
svg .grid{stroke:var(--line);stroke-width:1}svg .axis{stroke:var(--soft)}\
svg .ink{stroke:var(--ink)}svg .goal{stroke:var(--s4);stroke-width:3}\
svg rect{fill:var(--s0);opacity:.85}";

/// The colours of dark mode.
const DARK: &str =
    ":root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;--card:#151b23}";

/// The colours of lines, in light and in dark mode.
const LIGHT_SERIES: [&str; SERIES] = [
    "#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e", "#1b7c83", "#bf3989", "#9a6700",
];
const DARK_SERIES: [&str; SERIES] = [
    "#58a6ff", "#f0883e", "#3fb950", "#d2a8ff", "#ff7b72", "#39c5cf", "#f778ba", "#d29922",
];

impl Report {
    /// The whole page.
    #[must_use]
    pub fn html(&self) -> String {
        let (title, subtitle) = (escaped(&self.title), escaped(&self.subtitle));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>{STYLE}{}@media (prefers-color-scheme:dark){{{DARK}{}}}</style>\n</head>\n\
             <body>\n<h1>{title}</h1>\n<p class=\"subtitle\">{subtitle}</p>\n",
            classes() + &variables(LIGHT_SERIES),
            variables(DARK_SERIES),
        );
        for section in &self.sections {
            let heading = escaped(&section.heading);
            let body = match &section.body {
                Body::Table(table) => table.html(),
                Body::Plot(svg) => format!("<figure>{svg}</figure>"),
            };
            // Writing to a String cannot fail.
            let _ = write!(page, "<section>\n<h2>{heading}</h2>\n{body}\n</section>\n");
        }
        page.push_str("<footer>\n");
        for note in &self.notes {
            let _ = writeln!(page, "<p>{}</p>", escaped(note));
        }
        page + "</footer>\n</body>\n</html>\n"
    }
}

impl Table {
    fn html(&self) -> String {
        let mut table = String::from("<div class=\"wide\"><table>\n");
        for (place, row) in self.0.iter().enumerate() {
            let tag = if place == 0 { "th" } else { "td" };
            let cells = row
                .iter()
                .map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
            let _ = writeln!(table, "<tr>{}</tr>", cells.collect::<String>());
        }
        table + "</table></div>"
    }
}

/// The classes of lines.
fn classes() -> String {
    let class = |number| format!("svg .s{number}{{stroke:var(--s{number})}}");
    (0..SERIES).map(class).collect()
}

/// The colours of lines as variables.
fn variables(colors: [&str; SERIES]) -> String {
    let colors = colors.iter().enumerate();
    let set = colors.map(|(number, color)| format!("--s{number}:{color};"));
    format!(":root{{{}}}", set.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Section;

    #[test]
    fn text_stays_text() {
        let page = Report {
            title: "<b>&\"".to_owned(),
            subtitle: "a<c".to_owned(),
            sections: vec![Section::table("<h>", Table::new(&["<x>"]))],
            notes: vec!["<script>".to_owned()],
        };
        let html = page.html();
        let title = "<title>&lt;b&gt;&amp;&quot;</title>";
        assert!(html.contains(title), "{html}");
        for raw in ["<b>", "a<c", "<h>", "<x>", "<script"] {
            assert!(!html.contains(raw), "{raw}");
        }
    }
}
