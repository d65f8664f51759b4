//! `docs/metrics.md`: every metric by its name, for whoever builds a dashboard.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use streamgate_server::metric_names;

/// Set it to write the page anew.
const REWRITE: &str = "STREAMGATE_REWRITE";

fn page() -> String {
    let mut page = format!(
        "# Metrics\n\n<!-- Generated from the code; do not edit. The test beside {}\n     writes it \
         anew with {REWRITE}=1. -->\n\n`GET /metrics`, Prometheus text. Counters end in `_total`. \
         No label ever names a user.\nWhat to watch: [operating.md](operating.md).\n\n\
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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let current = page();
    assert!(current.lines().count() > 20, "{current}");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "docs/metrics.md differs from the code; run this test with {REWRITE}=1"
    );
}

/// What the page for operators tells them to watch exists.
#[test]
fn what_operators_are_told_to_watch_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let text = fs::read_to_string(path).unwrap();
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
