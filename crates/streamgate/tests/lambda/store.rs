//! The table behind a function: away and back, slow while the instance is told to stop, and left
//! alone between events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::Signal;
use streamgate_clock::Stopwatch;
use streamgate_testkit::proxy::http::{Act, Proxy};
use streamgate_testkit::{Answer, Server, call, pause};

use super::gateway::{DEFAULT_STAGE, Gateway, Kind};
use super::runtime_api::RuntimeApi;
use super::{OPEN, bootstrap};
use crate::nodes::dynamodb::table;

/// An instance over the table behind this proxy, and a gateway before it.
fn instance(proxy: &Proxy, settings: &[(&str, &str)]) -> (Server, Gateway) {
    let port = proxy.url().rsplit(':').next().unwrap().parse().unwrap();
    let api = RuntimeApi::start();
    let settings = [&OPEN[..], settings].concat();
    let instance = Server::spawn_logging(bootstrap(&api, port, &settings));
    (instance, Gateway::start(Kind::HttpApi, DEFAULT_STAGE, &api))
}

/// Calls through the gateway, beside the proxy.
async fn ask(gateway: &Gateway, method: &'static str, path: &'static str) -> Answer {
    let address = gateway.address;
    let answer = tokio::task::spawn_blocking(move || call(address, method, path, None, None));
    answer.await.unwrap()
}

const SESSION: &str = "/v1/users/u/sessions/s";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_away_means_503_until_it_is_back() {
    let emulator = table();
    let is_away = Arc::new(AtomicBool::new(true));
    let plan = {
        let is_away = Arc::clone(&is_away);
        move |_: &_| match is_away.load(Ordering::SeqCst) {
            true => Act::LoseRequest,
            false => Act::Pass,
        }
    };
    let proxy = Proxy::before(&emulator.url(), plan).await;
    let (mut instance, gateway) = instance(&proxy, &[("STREAMGATE_ENGINE_DEADLINE_MS", "2000")]);
    let start = async || ask(&gateway, "PUT", SESSION).await;
    let refused = start().await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    instance.wait_for_log("the table cannot be used yet");
    let counted = instance.wait_for_output("_aws");
    assert!(counted.contains(r#""ServerErrors":1"#), "{counted}");
    is_away.store(false, Ordering::SeqCst);
    assert_eq!(start().await.status, 201);
    is_away.store(true, Ordering::SeqCst);
    assert_eq!(start().await.status, 503);
    is_away.store(false, Ordering::SeqCst);
    let again = start().await;
    assert!([200, 201].contains(&again.status), "{again:?}");
}

/// Longer than a server waits before it reads the format mark again.
const IDLE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_asked_of_the_table_between_events_and_the_format_mark_behind_one() {
    let emulator = table();
    let proxy = Proxy::before(&emulator.url(), |_| Act::Pass).await;
    let (instance, gateway) = instance(&proxy, &[]);
    assert_eq!(ask(&gateway, "PUT", SESSION).await.status, 201);
    // An event is taken once everything behind the one before it is done.
    assert_eq!(ask(&gateway, "GET", "/healthz").await.status, 200);
    proxy.take_seen();
    let idle = Stopwatch::start();
    tokio::task::spawn_blocking(move || {
        while idle.elapsed() < IDLE {
            pause();
        }
    })
    .await
    .unwrap();
    assert!(proxy.take_seen().is_empty());
    assert_eq!(ask(&gateway, "GET", "/healthz").await.status, 200);
    let ended = tokio::task::spawn_blocking(move || instance.terminate())
        .await
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(proxy.take_seen(), ["GetItem"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_told_to_stop_answers_its_event_first() {
    let emulator = table();
    let is_held = Arc::new(AtomicBool::new(false));
    let (reached, was_reached) = channel();
    let (release, released) = channel::<()>();
    let plan = {
        let is_held = Arc::clone(&is_held);
        move |_: &_| {
            if is_held.swap(false, Ordering::SeqCst) {
                reached.send(()).unwrap();
                released.recv().unwrap();
            }
            Act::Pass
        }
    };
    let proxy = Proxy::before(&emulator.url(), plan).await;
    let (instance, gateway) = instance(&proxy, &[]);
    assert_eq!(ask(&gateway, "GET", "/healthz").await.status, 200);
    is_held.store(true, Ordering::SeqCst);
    let started = tokio::spawn(async move { ask(&gateway, "PUT", SESSION).await });
    let instance = tokio::task::spawn_blocking(move || {
        was_reached.recv().unwrap();
        instance.signal(Signal::TERM);
        release.send(()).unwrap();
        instance
    });
    let instance = instance.await.unwrap();
    let answer = started.await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let ended = tokio::task::spawn_blocking(move || instance.wait())
        .await
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
}
