//! `serve`: opens the store, puts engine and server on top, and takes it all down again in order.
//!
//! What is *not* here: what the parts do.

mod banner;
mod certificate;
mod exports;
pub(crate) mod exposure;
pub(crate) mod format;
mod listener;
mod open_files;
pub(crate) mod panics;
mod reload;
pub(crate) mod remote;
pub(crate) mod signals;
mod store;
mod systemd;
pub(crate) mod tokens;
mod unavailable;

use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::{self as clock, SystemClock};
use streamgate_core::Policy;
use streamgate_engine::{Engine, FailMode, RandomIds};
use streamgate_server::telemetry::{self, ErrorReports, Repeats};
use streamgate_server::{Endpoints, HttpSettings, Metrics, Observed, app, prepare_thread};
use streamgate_store::Store;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::config::sections::store::StoreSettings;
use crate::config::{Loaded, Settings, Sources};
use crate::exit::{Code, Failure};
use crate::output;
use exports::Exports;
pub(crate) use open_files::raise_soft_limit;
use reload::Reloads;
use signals::Stops;
use systemd::{Manager, Watchdog};
use tokens::Tokens;

/// How often failures that repeat are summed up in the log.
pub(crate) const REPORT_REPEATS_EVERY: Duration = Duration::from_secs(1);

/// Serves until told to stop. The settings are read from the sources again at SIGHUP.
pub(crate) fn run(loaded: &Loaded, sources: Sources) -> Result<(), Failure> {
    let settings = &loaded.settings;
    exposure::check(settings)?;
    let clock = store::clock(settings)?;
    let metrics = Arc::new(Metrics::with_log(Arc::clone(&clock) as _, output::log()));
    let exports = Exports::start(settings, &metrics)?;
    let repeats = start_log(loaded, exports.reports.clone())?;
    panics::report(&metrics);
    let mut http = settings.server.http.clone();
    http.max_connections = open_files::raise(http.max_connections)?;

    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let unhandled = |error| Failure::new(Code::Problem, format!("no signal handlers: {error}"));
        // Before the store writes, because a limit of file sizes can end the process as well.
        let hangup = signals::install().map_err(unhandled)?;
        tokio::spawn(report_repeats(repeats.clone()));
        // Installed before any call can be acknowledged: a signal is kept until it is awaited.
        let stops = Stops::install().map_err(unhandled)?;
        let opening = tokio::spawn(Stops::install().map_err(unhandled)?.end_at_once());
        let manager = Manager::of_environment();
        manager.opening(settings.store.data_dir());
        let opened = store::open(settings, clock, &metrics).await;
        opening.abort();
        let opened = opened?;
        let mut in_use = loaded.clone();
        in_use.settings.policy.clock_skew = opened.clock_skew;
        // Events count from here on.
        metrics.set_live_sessions(opened.live_sessions);
        let observed = Observed::new(&settings.server, Arc::clone(&metrics));
        let policy = in_use.settings.policy.clone();
        let store = exports.around(opened.store, settings);
        let engine = engine(settings, policy, store, &opened.clock, &observed);
        let tls = certificate::start(settings.tls.as_ref(), &metrics)?;
        let tokens = Tokens::start(settings.tokens.clone(), settings.store.data_dir())?;
        let verifier = tokens.verifier();
        let reloads = Reloads {
            tokens,
            sources,
            in_use,
            certificates: opened.certificates,
            stall_rule: opened.stall_rule,
            tls,
            clock: opened.clock,
            metrics: Arc::clone(&metrics),
            hangup,
            manager: manager.clone(),
        };
        let watchdog = Watchdog::start(&manager, opened.commits);
        let mut settings = settings.clone();
        settings.server.tracer = exports.tracer;
        settings.server.tokens = Some(verifier);
        let server = settings.server.clone();
        let app = app(Arc::clone(&engine), server, observed.clone());
        observed.run_in_background();
        let serving = serve(&settings, &http, (&engine, app), &metrics, stops, reloads);
        watched(serving, watchdog).await
    });
    // A reload can be reading a file that does not answer: the end does not wait for it.
    runtime.shutdown_background();
    repeats.report_all();
    ended
}

/// The engine over this store. A player is answered without the store as the settings say.
fn engine(
    settings: &Settings,
    policy: Policy,
    store: Arc<dyn Store>,
    clock: &Arc<SystemClock>,
    observed: &Observed,
) -> Arc<Engine> {
    let engine = Engine::new(
        store,
        Arc::new(policy),
        Arc::new(RandomIds),
        Arc::new(observed.observers()),
        settings.engine,
    );
    Arc::new(match settings.fail_mode {
        FailMode::Closed => engine,
        FailMode::Open => engine.fail_open(Arc::clone(clock) as Arc<_>),
    })
}

/// Serves, and feeds the watchdog from the same task: if one stands still, so does the other.
async fn watched(
    serving: impl Future<Output = Result<(), Failure>>,
    watchdog: Option<Watchdog>,
) -> Result<(), Failure> {
    let Some(watchdog) = watchdog else {
        return serving.await;
    };
    tokio::select! {
        biased;
        ended = serving => ended,
        never = watchdog.feed() => match never {},
    }
}

/// Starts the log, and warns in it of what the operator should change. Its errors are reported, if
/// there is something that takes `reports`.
pub(crate) fn start_log(
    loaded: &Loaded,
    reports: Option<Arc<dyn ErrorReports>>,
) -> Result<Repeats, Failure> {
    let settings = &loaded.settings;
    check_wall_clock(clock::wall_ms())?;
    let log = &settings.log;
    let repeats = telemetry::init(log.format, &log.whole_filter(), output::log(), reports)
        .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
    exposure::warn_of_open_dialects(settings);
    for warning in loaded.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(repeats)
}

/// The HTTP library makes a date on each thread that serves, and panics if it is before 1970; what a
/// thread has made stays ([`prepare_thread`]).
fn check_wall_clock(wall_ms: i64) -> Result<(), Failure> {
    if wall_ms >= 0 {
        return Ok(());
    }
    let problem = "the system clock shows a time before 1970-01-01, which no HTTP date can hold; \
                   set it and start again";
    Err(Failure::new(Code::Problem, problem))
}

async fn report_repeats(repeats: Repeats) {
    let mut seconds = tokio::time::interval(REPORT_REPEATS_EVERY);
    loop {
        seconds.tick().await;
        repeats.report();
    }
}

/// Most sockets that a thread without other work takes from the system at once, of those that are
/// ready. A thread's own queue holds 256 tasks, and what does not fit waits behind what comes later.
const READY_MAX: usize = 128;

/// The same of a thread that has other work. The rest wait in the system, in their order.
const READY_WHILE_BUSY_MAX: usize = 16;

/// The threads that wait for sockets and servers.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .max_io_events_per_tick(READY_MAX)
        .max_io_events_per_busy_tick(READY_WHILE_BUSY_MAX)
        .on_thread_start(prepare_thread)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Problem, format!("no threads to serve with: {error}")))
}

async fn serve(
    settings: &Settings,
    http: &HttpSettings,
    (engine, app): (&Arc<Engine>, Endpoints),
    metrics: &Arc<Metrics>,
    stops: Stops,
    reloads: Reloads,
) -> Result<(), Failure> {
    let listener = bind(settings)?;
    let address = listener.local_addr().unwrap_or(settings.general.listen);
    let url = format!("{}://{address}", settings.scheme());
    banner::print(settings, &url);
    let manager = reloads.manager.clone();
    manager.listening(&url);
    let following = manager.follow(engine);

    let sweeping = tokio::spawn({
        let engine = Arc::clone(engine);
        async move { engine.sweep_forever().await }
    });
    let reconciling = tokio::spawn({
        let engine = Arc::clone(engine);
        async move { engine.reconcile_forever().await }
    });
    let resolving = tokio::spawn({
        let engine = Arc::clone(engine);
        async move { engine.resolve_forever().await }
    });
    let tls = reloads.tls.clone();
    let reloading = tokio::spawn(reloads.forever(Arc::clone(engine), app.clone()));
    let told_to_stop = async {
        stops.told_to_stop().await;
        if let Some(following) = following {
            following.abort();
        }
        manager.stopping(http.drain, http.shutdown_grace);
    };
    let served = streamgate_server::serve(listener, app, http, tls, metrics, told_to_stop).await;
    reloading.abort();
    sweeping.abort();
    reconciling.abort();
    resolving.abort();
    // Also if serving failed: everything acknowledged goes to disk.
    let closed = close(engine).await;
    manager.last_messages_sent().await;
    let stopped = served
        .map_err(|error| Failure::new(Code::Problem, format!("serving has failed: {error}")))?;
    if stopped.cut_off > 0 {
        tracing::warn!(
            connections = stopped.cut_off,
            "requests that did not finish within http.shutdown_grace_s were cut off"
        );
    }
    closed?;
    match settings.store {
        StoreSettings::Embedded(_) => tracing::info!("stopped; everything is on disk"),
        StoreSettings::Redis(_) | StoreSettings::DynamoDb(_) => tracing::info!("stopped"),
    }
    Ok(())
}

fn bind(settings: &Settings) -> Result<TcpListener, Failure> {
    let listen = settings.general.listen;
    listener::bind(listen).map_err(|error| {
        Failure::new(Code::Problem, format!("cannot listen on {listen}: {error}"))
            .hint("choose another address or port with --listen; port 0 takes any free one")
    })
}

/// Reports sessions that are over, so that metrics and logs of this run are complete, and closes
/// the store.
async fn close(engine: &Engine) -> Result<(), Failure> {
    if let Err(error) = engine.sweep_all().await {
        tracing::warn!(%error, "the last sweep did not finish");
    }
    engine.close().await.map_err(|error| {
        Failure::new(
            Code::Store,
            format!("closing the store has failed: {error}"),
        )
    })
}
