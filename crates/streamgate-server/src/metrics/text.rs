//! The Prometheus text format 0.0.4, converted from the OpenMetrics text.
//!
//! The two differ in the metadata of counters: OpenMetrics names them without the `_total` of their
//! samples, and a parser of 0.0.4 would take the samples for untyped metrics.

use std::fmt::Write as _;

/// The same page in the text format 0.0.4.
pub(super) fn of_open_metrics(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    // The help text precedes the type.
    let mut help = None;
    for line in page.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) = type_of(line) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
            }
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The name and the type of a metric in a line that states them.
fn type_of(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("# TYPE ")?.split_once(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples_are_and_nothing_else_changes() {
        let page = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n\
            # UNIT a_seconds seconds\n\
            a_seconds_bucket{le=\"+Inf\"} 1\na_seconds_count 1\n\
            # HELP b What, # TYPE or not.\n# TYPE b counter\nb_total{result=\"x\"} 7\n\
            # TYPE c gauge\nc 1\n# EOF\n";
        assert_eq!(
            of_open_metrics(page),
            "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{le=\"+Inf\"} 1\na_seconds_count 1\n\
             # HELP b_total What, # TYPE or not.\n# TYPE b_total counter\nb_total{result=\"x\"} 7\n\
             # TYPE c gauge\nc 1\n"
        );
    }
}
