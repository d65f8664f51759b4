//! `docs/metrics.md`: every metric by its name.

use std::fmt::Write as _;
use std::fs;

use streamgate_server::metric_names;
use streamgate_testkit::generated::{UPDATE_GENERATED, assert_generated};
use streamgate_testkit::repository;

fn page() -> String {
    let mut page = format!(
        "# Metrics\n\n<!-- Generated from the code; do not edit. The test beside {}\n     \
         writes it anew with {UPDATE_GENERATED}=1. -->\n\n\
         `GET /metrics`, Prometheus text. Counters end in `_total`. No label ever names a user.\n\
         What to watch: [operating.md](operating.md).\n\n\
         | metric | what it counts |\n|---|---|\n",
        "`tests/api/ops/metric_reference.rs`"
    );
    for (name, help) in metric_names() {
        writeln!(page, "| `{name}` | {help} |").unwrap();
    }
    page
}

#[test]
fn the_page_in_the_repository_is_what_the_code_says() {
    let current = page();
    assert!(current.lines().count() > 20, "{current}");
    assert_generated(repository("docs/metrics.md"), &current);
}

/// What the page for operators tells them to watch exists.
#[test]
fn what_operators_are_told_to_watch_exists() {
    let text = fs::read_to_string(repository("docs/operating.md")).unwrap();
    let names: Vec<String> = metric_names().into_iter().map(|(name, _)| name).collect();
    let mut told = 0;
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        if word.starts_with("streamgate_") {
            told += 1;
            assert!(names.iter().any(|name| name == word), "{word} is no metric");
        }
    }
    assert!(told > 5, "the page names metrics");
}
