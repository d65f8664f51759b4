//! The log reference, `docs/operations/logs.md`: every event at `info` or above and every field.
//!
//! Levels, loggers and fields are read from the sources; what an event means and what to do about
//! it is written in `events.toml`. A new event without an entry fails a test here.

mod marks;
mod scan;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;
use streamgate_server::telemetry::fields::{ALWAYS, ECS_VERSION, FIELDS, OF_TRACE, ecs_name};
use streamgate_testkit::generated::{UPDATE_GENERATED, assert_generated};
use streamgate_testkit::repository;

use scan::{Event, LEVELS, events};

/// What is written by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The fields that the schema has no name for: what they hold.
    labels: BTreeMap<String, String>,
    event: Vec<Meaning>,
}

/// The meaning of one event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meaning {
    /// The message, as the source has it.
    message: String,
    /// What it means.
    means: String,
    /// What to do; empty if nothing.
    #[serde(default)]
    action: String,
}

const WRITTEN: &str = "crates/streamgate/tests/logs/events.toml";

fn written() -> Written {
    toml::from_str(&fs::read_to_string(repository(WRITTEN)).unwrap()).unwrap()
}

#[test]
fn every_event_has_a_meaning_and_every_meaning_an_event() {
    let (events, written) = (events(), written());
    assert!(events.len() > 40, "the sources are read");
    let described: Vec<&str> = written.event.iter().map(|it| &*it.message).collect();
    let missing: Vec<&String> = events
        .keys()
        .filter(|it| !described.contains(&&***it))
        .collect();
    assert!(missing.is_empty(), "add to {WRITTEN}: {missing:#?}");
    let gone: Vec<&&str> = described
        .iter()
        .filter(|it| !events.contains_key(**it))
        .collect();
    assert!(gone.is_empty(), "remove from {WRITTEN}: {gone:#?}");
    assert_eq!(described.len(), events.len(), "an event is described twice");
    for meaning in &written.event {
        assert!(meaning.means.ends_with('.'), "{meaning:?}");
        let levels = &events[&meaning.message].levels;
        let asks = !levels.contains("error") || !meaning.action.is_empty();
        assert!(asks, "an error says what to do: {meaning:?}");
    }
}

#[test]
fn every_field_is_described_once_and_never_written_twice_in_a_line() {
    let (events, written) = (events(), written());
    let mut labels: Vec<&String> = Vec::new();
    for (message, event) in &events {
        let mut names: Vec<_> = event.fields.iter().map(|it| ecs_name(it)).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before, "two fields of one name: {message}");
        for field in &event.fields {
            let is_constant = ALWAYS
                .iter()
                .chain(OF_TRACE)
                .any(|it| it.ecs == ecs_name(field));
            assert!(!is_constant, "{field} is in every line: {message}");
            if ecs_name(field).starts_with("labels.") {
                labels.push(field);
            }
        }
    }
    labels.sort();
    labels.dedup();
    let described: Vec<&String> = written.labels.keys().collect();
    assert_eq!(described, labels, "the labels of {WRITTEN}");
}

#[test]
fn the_page_in_the_repository_is_what_the_code_says() {
    assert_generated(repository("docs/operations/logs.md"), &page());
}

#[test]
fn the_scanner_finds_every_form_and_refuses_what_it_cannot_read() {
    let found = scan::scan(
        "fn f() { tracing::warn!(%error, took = ?x.y(1, \"a, b\"), n, \"one \\\n    two \\\"q\\\"\"); }\n\
         // tracing::info!(\"a comment\")\n\
         macro_rules! line { ($level:ident) => { tracing::$level!(a = 1, \"m\") } }\n\
         fn g() { line!(error); line!(debug); }\n\
         fn h() { tracing::info!(target: \"audit\", b = 1, \"n\"); }\n\
         #[cfg(test)]\nmod tests { fn t() { tracing::info!(\"in a test\"); } }",
    )
    .unwrap();
    let event = |message: &str, level, fields: &[&str], target: Option<&str>| scan::Found {
        message: message.to_owned(),
        levels: vec![level],
        fields: fields.iter().map(|it| (*it).to_owned()).collect(),
        target: target.map(str::to_owned),
    };
    assert_eq!(
        found,
        [
            event("one two \"q\"", "warn", &["error", "took", "n"], None),
            event("n", "info", &["b"], Some("audit")),
            event("m", "error", &["a"], None),
        ]
    );
    for unread in [
        "use tracing::warn; fn f() { warn!(\"x\") }",
        "tracing::event!(Level::WARN, \"x\")",
        "tracing::info!(a = 1)",
        "#[instrument] fn f() {}",
    ] {
        assert!(scan::scan(unread).is_err(), "{unread}");
    }
}

fn page() -> String {
    let (events, written) = (events(), written());
    let mut page = format!(
        "# Log reference\n\n<!-- Generated from the sources and from {WRITTEN};\n     do not edit. \
         A test writes it anew with {UPDATE_GENERATED}=1. -->\n\n{INTRODUCTION}"
    );
    let count = |level: &str| {
        events
            .values()
            .filter(|it| it.levels.contains(level))
            .count()
    };
    writeln!(
        page,
        "Events: {} at `error`, {} at `warn`, {} at `info`.\n",
        count("error"),
        count("warn"),
        count("info")
    )
    .unwrap();
    fields(&mut page, &written.labels);
    for level in LEVELS {
        let title = level.to_uppercase();
        writeln!(page, "## {title}\n").unwrap();
        writeln!(page, "| message | means | what to do | fields | logger |").unwrap();
        writeln!(page, "|---|---|---|---|---|").unwrap();
        // In the order in which they are written, which keeps what belongs together.
        for meaning in &written.event {
            let Some(event) = events.get(&meaning.message) else {
                continue;
            };
            // An event of two levels stands where it is gravest.
            let gravest = LEVELS.into_iter().find(|it| event.levels.contains(it));
            if gravest == Some(level) {
                row(&mut page, meaning, event);
            }
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn row(page: &mut String, meaning: &Meaning, event: &Event) {
    let list = |names: &mut dyn Iterator<Item = &String>| {
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let also: Vec<&str> = event.levels.iter().copied().collect();
    let also = match also.len() {
        1 => String::new(),
        _ => format!(" (levels: {})", also.join(", ")),
    };
    writeln!(
        page,
        "| {}{also} | {} | {} | {} | {} |",
        meaning.message.replace('|', "\\|"),
        meaning.means,
        meaning.action,
        list(&mut event.fields.iter()),
        list(&mut event.loggers.iter()),
    )
    .unwrap();
}

fn fields(page: &mut String, labels: &BTreeMap<String, String>) {
    writeln!(page, "## Fields\n\n| text | JSON | holds |\n|---|---|---|").unwrap();
    let text = |name: &str| match name {
        "" => String::new(),
        name => format!("`{name}`"),
    };
    for field in ALWAYS.iter().chain(FIELDS).chain(OF_TRACE) {
        writeln!(
            page,
            "| {} | `{}` | {} |",
            text(field.name),
            field.ecs,
            field.about
        )
        .unwrap();
    }
    for (name, about) in labels {
        writeln!(page, "| `{name}` | `{}` | {about} |", ecs_name(name)).unwrap();
    }
    page.push('\n');
    assert!(
        page.contains(ECS_VERSION),
        "the introduction names the version"
    );
}

const INTRODUCTION: &str = "\
```
streamgate serve --log-format json                          # ECS, one object a line
streamgate serve --set log.filter=info,streamgate_server=debug   # a line for every request
```

`log.format = \"json\"` writes JSON lines in the Elastic Common Schema 9.4.0 (dotted names at the top level), so that
Filebeat, Elastic, CloudWatch Logs and Loki take them without a parser. Fields that the schema does not have are
`labels.NAME`, with numbers and booleans as such. `log.format = \"human\"` writes the same events with the short names.

The log holds no API key, token, user id or session id at `info` or above; a test runs the whole API with marked values.
A user whose record is damaged is named by a hash. `request_id` is the caller's own `x-request-id`, so it must not be a
secret.

A request with a valid `traceparent` has its `trace.id` in every line that it logs, and the answer has `traceresponse`
(W3C Trace Context). An invalid one is replaced by a new trace.

A warning or an error that repeats is logged once, then once a second with its count.

## Audit

The logger `audit` (`log.logger`) has a line for each call that changed users, ended sessions of others, minted a token,
imported users or took a backup: `event.action`, `event.outcome`, who made it (`labels.actor`: `key`, `token` or
`anonymous`), and whom it was about (`user.target.hash`). Sessions of others end by a stop with a key of scope `service` or
`admin` and by `terminate` of any key; so a backend whose key makes the calls of players has a line for each stop, unless the
key is of scope `player`. A call that was not authorised changed nothing and has no line; metrics and lines at `debug` show it.
`log.audit = false` turns the log off, `log.filter` does not. `log.audit_user_ids = true` adds the ids of users: protect the
log as you protect those.

Lines go through the queue of the log, which no call waits for. If standard error cannot take them, they are dropped like
others and counted: `streamgate_log_lines_dropped_total`.

To keep them apart, with `log.format = \"json\"`:

```yaml
# Filebeat: another index for them
output.elasticsearch:
  indices:
    - index: \"streamgate-audit-%{+yyyy.MM}\"
      when.equals: { log.logger: \"audit\" }
```

```
# Grafana Alloy, on the way to Loki: the logger as a label, so that {logger=\"audit\"} selects them
loki.process \"streamgate\" {
  stage.json   { expressions = { logger = \"\\\"log.logger\\\"\" } }
  stage.labels { values = { logger = \"\" } }
  forward_to = [loki.write.default.receiver]
}
```

";
