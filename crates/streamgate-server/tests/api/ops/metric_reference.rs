//! `docs/metrics.md`: every metric by its name, its type and its labels, as a running service shows
//! them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use streamgate_server::metric_names;
use streamgate_testkit::generated::{UPDATE_GENERATED, assert_generated};
use streamgate_testkit::repository;

use super::metrics::{with_issuer, with_volume};

/// The type and the labels of a metric on the page of a service.
fn described(scraped: &str, name: &str) -> (String, String) {
    let head = format!("# TYPE {name} ");
    let kind = scraped.lines().find_map(|line| line.strip_prefix(&head));
    let mut labels = BTreeSet::new();
    for line in scraped.lines() {
        // The samples of a histogram have a suffix and, if they are buckets, a bound.
        let Some((series, rest)) = line.split_once('{') else {
            continue;
        };
        let Some(suffix) = series.strip_prefix(name) else {
            continue;
        };
        if !["", "_bucket", "_sum", "_count"].contains(&suffix) {
            continue;
        }
        let (inner, _) = rest.rsplit_once('}').unwrap();
        // A value may have braces and slashes, but no quote.
        let names = inner
            .split('"')
            .step_by(2)
            .map(|text| text.trim_matches([',', '=']));
        let names = names.filter(|label| !label.is_empty() && *label != "le");
        labels.extend(names.map(|label| format!("`{label}`")));
    }
    let labels: Vec<String> = labels.into_iter().collect();
    (
        kind.unwrap_or_else(|| panic!("no type of {name}"))
            .to_owned(),
        labels.join(", "),
    )
}

async fn page() -> String {
    let service = with_volume();
    service.start(&["s"]).await;
    let scraped = service.get("/metrics").await.text();
    let scraped = scraped + &with_issuer().get("/metrics").await.text();
    let mut page = format!(
        "# Metrics\n\n<!-- Generated from the code; do not edit. The test beside {}\n     \
         writes it anew with {UPDATE_GENERATED}=1. -->\n\n\
         `GET /metrics`, Prometheus text. Counters end in `_total`. No label ever names a user.\n\
         Alerts and a dashboard: [deploy/monitoring](../deploy/monitoring/). What to watch without \
         them: [operating.md](operating.md#what-to-watch).\n\n\
         | metric | type | labels | what it counts |\n|---|---|---|---|\n",
        "`tests/api/ops/metric_reference.rs`"
    );
    for (name, help) in metric_names() {
        let (kind, labels) = described(&scraped, &name);
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    page
}

#[tokio::test]
async fn the_page_in_the_repository_is_what_the_code_says() {
    let current = page().await;
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
