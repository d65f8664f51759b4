//! `/metrics`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use serde_json::json;
use streamgate_engine::EngineObserver as _;
use streamgate_server::{ServerSettings, Tls, Volume, metric_names};
use streamgate_tokens::{Algorithm, Location, Source};

use crate::support::running::server_files;
use crate::support::viewers::{Down, login, settings, signing_key, verifier};
use crate::support::{Answer, Service, request};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn page(service: &Service, accept: Option<&str>) -> Answer {
    let mut request = request("GET", "/metrics", Body::empty());
    if let Some(accept) = accept {
        let accept = accept.parse().unwrap();
        request.headers_mut().insert("accept", accept);
    }
    service.send(request).await
}

/// A service whose page has every metric.
pub(super) fn with_volume() -> Service {
    let service = Service::open();
    let credentials = server_files().load().unwrap();
    Tls::new(credentials, Duration::from_secs(1), &service.metrics).unwrap();
    let volume = Volume { size: 2, free: 1 };
    service.metrics.watch_volume(Box::new(move || Some(volume)));
    service
}

/// A service that accepts the tokens of an issuer whose keys are at a URL.
pub(super) fn with_issuer() -> Service {
    let at = Location {
        url: "https://login.example/keys".to_owned(),
        authorities: None,
    };
    let issuer = login(Source::Url(at), Algorithm::Es256);
    let settings = settings(&signing_key(), vec![issuer]);
    Service::with(ServerSettings {
        tokens: Some(verifier(settings, Down)),
        ..ServerSettings::default()
    })
}

#[tokio::test]
async fn the_page_is_text_0_0_4_and_describes_every_metric_by_its_name() {
    let service = with_volume();
    service.start(&["s"]).await;
    // Some metrics are of issuers, and the server above has none: it would not be open.
    let of_issuer = page(&with_issuer(), None).await.text();
    let page = page(&service, None).await.text() + &of_issuer;
    assert!(!page.contains("# EOF"));
    for (name, help) in metric_names() {
        let line = format!("# HELP {name} {help}.\n");
        assert!(page.contains(&line), "no {line} in\n{page}");
        let is_counter = page.contains(&format!("# TYPE {name} counter\n"));
        assert_eq!(is_counter, name.ends_with("_total"), "{name}");
    }
    assert_eq!(
        service
            .metric(&format!(
                "streamgate_build_info{{version=\"{}\"}}",
                env!("CARGO_PKG_VERSION")
            ))
            .await,
        "1"
    );
}

#[tokio::test]
async fn the_page_is_openmetrics_for_those_who_ask_for_it() {
    let service = with_volume();
    service.start(&["s"]).await;
    let kind = Some("application/openmetrics-text");
    let of_issuer = page(&with_issuer(), kind).await.text();
    let page = of_issuer + &page(&service, kind).await.text();
    assert!(page.ends_with("# EOF\n"));
    for (name, help) in metric_names() {
        let family = name.trim_end_matches("_total");
        let line = format!("# HELP {family} {help}.\n");
        assert!(page.contains(&line), "no {line} in\n{page}");
    }
}

#[tokio::test]
async fn a_scraper_gets_the_format_that_it_asks_for() {
    let service = Service::open();
    let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                      application/openmetrics-text;version=0.0.1;q=0.5,\
                      text/plain;version=0.0.4;q=0.4,*/*;q=0.2";
    for (accept, kind) in [
        (None, TEXT),
        (Some("*/*"), TEXT),
        (Some("text/plain"), TEXT),
        (Some("text/plain;version=0.0.4"), TEXT),
        (Some("text/html, */*;q=0.8"), TEXT),
        (Some("application/openmetrics-text;q=0"), TEXT),
        (Some("application/openmetrics-text;q=0.3, text/plain"), TEXT),
        (Some("application/openmetrics-text"), OPENMETRICS),
        (
            Some("text/plain;q=0.5, Application/OpenMetrics-Text"),
            OPENMETRICS,
        ),
        (Some(prometheus), OPENMETRICS),
    ] {
        let answer = page(&service, accept).await;
        assert_eq!(answer.header("content-type"), Some(kind), "{accept:?}");
    }
}

#[test]
fn the_names_are_those_that_dashboards_use() {
    let names: Vec<String> = metric_names().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "streamgate_build_info",
            "streamgate_log_lines_dropped_total",
            "process_start_time_seconds",
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "streamgate_stalls_total",
            "streamgate_clock_steps_total",
            "streamgate_settings_refused",
            "streamgate_panics_total",
            "streamgate_data_volume_size_bytes",
            "streamgate_data_volume_free_bytes",
            "streamgate_starts_total",
            "streamgate_heartbeats_total",
            "streamgate_stops_total",
            "streamgate_endings_total",
            "streamgate_reconciled_total",
            "streamgate_degraded_sessions",
            "streamgate_live_sessions",
            "streamgate_failed_users",
            "streamgate_users",
            "streamgate_http_request_duration_seconds",
            "streamgate_http_connections",
            "streamgate_http_connections_refused_total",
            "streamgate_http_body_bytes",
            "streamgate_http_bodies_refused_total",
            "streamgate_tls_not_after",
            "streamgate_tls_handshakes_total",
            "streamgate_tls_handshake_failures_total",
            "streamgate_push_streams",
            "streamgate_push_events_total",
            "streamgate_push_events_missed_total",
            "streamgate_push_streams_refused_total",
            "streamgate_push_streams_ended_total",
            "streamgate_commit_duration_seconds",
            "streamgate_commit_batch_records",
            "streamgate_commit_bytes_total",
            "streamgate_store_usable",
            "streamgate_outcome_unknown_total",
            "streamgate_damaged_records_total",
            "streamgate_store_evicted_keys_total",
            "streamgate_store_full",
            "streamgate_store_clock_skew_seconds",
            "streamgate_notices_connections",
            "streamgate_notices_published_total",
            "streamgate_notices_received_total",
            "streamgate_notices_dropped_total",
            "streamgate_notices_untold_total",
            "streamgate_notices_resubscribed_total",
            "streamgate_spans_dropped_total",
            "streamgate_error_reports_dropped_total",
            "streamgate_tokens_refused_total",
            "streamgate_issuer_keys_age_seconds",
            "streamgate_issuer_fetch_failures_total",
            "streamgate_failed_auth_limited_total",
        ]
    );
}

#[tokio::test]
async fn answers_and_endings_are_counted() {
    let service = Service::open();
    let call = async |method: &str, path: &str| {
        service
            .call(method, &format!("/v1/users/u/sessions{path}"))
            .await;
    };
    service.start(&["a", "b", "c"]).await;
    call("PUT", "/a").await;
    call("PUT", "/d").await;
    call("POST", "/a/heartbeat").await;
    call("POST", "/never/heartbeat").await;
    call("DELETE", "/a").await;
    call("DELETE", "/a").await;
    call("POST", "/never/stop").await;
    call("POST", "/a/heartbeat").await;
    service.advance(95);
    call("POST", "/b/heartbeat").await;
    service
        .json("PUT", "/v1/users/u/sessions/e", &json!({"replaces": "b"}))
        .await;
    for (line, count) in [
        ("streamgate_starts_total{result=\"admitted\"}", "4"),
        ("streamgate_starts_total{result=\"already_live\"}", "1"),
        ("streamgate_starts_total{result=\"refused\"}", "1"),
        ("streamgate_heartbeats_total{result=\"renewed\"}", "1"),
        ("streamgate_heartbeats_total{result=\"revived\"}", "1"),
        ("streamgate_heartbeats_total{result=\"ended\"}", "1"),
        ("streamgate_heartbeats_total{result=\"unknown\"}", "1"),
        ("streamgate_stops_total{result=\"stopped\"}", "1"),
        ("streamgate_stops_total{result=\"already_ended\"}", "1"),
        ("streamgate_stops_total{result=\"unknown\"}", "1"),
        ("streamgate_endings_total{reason=\"stopped\"}", "1"),
        ("streamgate_endings_total{reason=\"expired\"}", "2"),
        ("streamgate_endings_total{reason=\"terminated\"}", "1"),
        ("streamgate_endings_total{reason=\"evicted\"}", "0"),
        ("streamgate_endings_total{reason=\"revoked\"}", "0"),
        ("streamgate_live_sessions", "1"),
        ("streamgate_users{}", "1"),
    ] {
        assert_eq!(service.metric(line).await, count, "{line}");
    }
}

#[tokio::test]
async fn requests_are_timed_by_template_and_never_by_path() {
    let service = Service::open();
    service.get("/v1/users/secret-name/sessions").await;
    service.get("/nothing/secret-name").await;
    service.call("BREW", "/v1/users/secret-name").await;
    let count = async |method: &str, route: &str, status: u16| {
        service
            .metric(&format!(
                "streamgate_http_request_duration_seconds_count\
                 {{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
            ))
            .await
    };
    assert_eq!(count("GET", "/v1/users/{user_id}/sessions", 200).await, "1");
    assert_eq!(count("GET", "none", 404).await, "1");
    assert_eq!(count("other", "/v1/users/{user_id}", 405).await, "1");
    let page = service.get("/metrics").await.text();
    assert!(!page.contains("secret-name"));
    assert!(
        page.contains("le=\"0.00005\"") || page.contains("le=\"5e-5\""),
        "{page}"
    );
}

#[tokio::test]
async fn what_the_store_and_the_engine_tell_is_counted() {
    let service = Service::open();
    service.metrics.set_live_sessions(40);
    service
        .metrics
        .observe_commit(3, 500, Duration::from_micros(700));
    service.metrics.outcome_unknown();
    service.start(&["a"]).await;
    for (line, value) in [
        ("streamgate_live_sessions", "41"),
        ("streamgate_commit_duration_seconds_count", "1"),
        ("streamgate_commit_batch_records_sum", "3.0"),
        ("streamgate_commit_bytes_total", "500"),
        ("streamgate_outcome_unknown_total", "1"),
        ("streamgate_http_connections", "0"),
    ] {
        assert_eq!(service.metric(line).await, value, "{line}");
    }
}

#[tokio::test]
async fn a_scrape_asks_the_store_and_the_system_how_they_are() {
    let service = Service::open();
    assert_eq!(service.metric("streamgate_store_usable").await, "1");
    let number = async |line: &str| service.metric(line).await.parse::<f64>().unwrap();
    let started = number("process_start_time_seconds").await;
    assert!(started > 1_700_000_000.0, "{started}");
    let used = number("process_cpu_seconds_total").await;
    assert!(used > 0.0 && used < 3_600.0, "{used}");
    assert!(number("process_resident_memory_bytes").await > 1e6);
    let (open, max) = (
        number("process_open_fds").await,
        number("process_max_fds").await,
    );
    assert!(open >= 3.0 && open <= max, "{open} of {max}");
    service.break_store().await;
    assert_eq!(service.metric("streamgate_store_usable").await, "0");
}

#[tokio::test]
async fn what_disturbs_the_clock_is_counted() {
    let service = Service::open();
    assert_eq!(service.metric("streamgate_stalls_total").await, "0");
    service.clock.stall(Duration::from_secs(20));
    service.clock.stall(Duration::from_secs(20));
    service.clock.set_wall_offset_ms(3_000);
    assert_eq!(service.metric("streamgate_stalls_total").await, "2");
    assert_eq!(service.metric("streamgate_clock_steps_total").await, "1");
}

#[tokio::test]
async fn the_volume_is_on_the_page_while_the_system_tells_of_it() {
    let service = Service::open();
    let has_volume = async || {
        let page = service.get("/metrics").await.text();
        page.contains("\nstreamgate_data_volume_free_bytes{")
    };
    assert!(!has_volume().await, "no store with a disk");
    let (tell, told) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let ask = move || told.lock().unwrap().try_recv().ok();
    service.metrics.watch_volume(Box::new(ask));
    let volume = Volume { size: 100, free: 7 };
    for _ in 0..2 {
        tell.send(volume).unwrap();
    }
    for (line, value) in [
        ("streamgate_data_volume_size_bytes{}", "100"),
        ("streamgate_data_volume_free_bytes{}", "7"),
    ] {
        assert_eq!(service.metric(line).await, value);
    }
    assert!(!has_volume().await, "the disk does not answer");
}

#[tokio::test]
async fn settings_that_were_refused_and_faults_are_shown() {
    let service = Service::open();
    assert_eq!(service.metric("streamgate_settings_refused").await, "0");
    service.metrics.set_settings_refused(true);
    assert_eq!(service.metric("streamgate_settings_refused").await, "1");
    service.metrics.set_settings_refused(false);
    assert_eq!(service.metric("streamgate_settings_refused").await, "0");
    service.metrics.observe_panic();
    assert_eq!(service.metric("streamgate_panics_total").await, "1");
}

#[tokio::test]
async fn a_disk_that_does_not_answer_delays_a_scrape_and_holds_up_none() {
    let service = Service::open();
    let (answer, answers) = std::sync::mpsc::channel::<()>();
    let answers = std::sync::Mutex::new(answers);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    service.metrics.watch_volume(Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        answers.lock().unwrap().recv().ok()?;
        Some(Volume { size: 2, free: 1 })
    }));
    for _ in 0..3 {
        let page = service.get("/metrics").await.text();
        assert!(
            !page.contains("\nstreamgate_data_volume_free_bytes{"),
            "{page}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one scrape waits, not all");
    // Enough for the call that waits and for all that may follow.
    for _ in 0..1_000 {
        answer.send(()).unwrap();
    }
    let tells = async || {
        let page = service.get("/metrics").await.text();
        page.contains("\nstreamgate_data_volume_free_bytes{} 1\n")
    };
    while !tells().await {
        tokio::task::yield_now().await;
    }
}
