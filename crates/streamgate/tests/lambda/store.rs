//! A table that comes and goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use streamgate_testkit::proxy::http::{Act, Proxy};
use streamgate_testkit::{Server, call};

use super::gateway::{DEFAULT_STAGE, Gateway, Kind};
use super::runtime_api::RuntimeApi;
use super::{OPEN, bootstrap};
use crate::nodes::dynamodb::table;

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
    let port = proxy.url().rsplit(':').next().unwrap().parse().unwrap();
    let api = RuntimeApi::start();
    let deadline = ("STREAMGATE_ENGINE_DEADLINE_MS", "2000");
    let mut instance = Server::spawn_logging(bootstrap(&api, port, &[OPEN[0], deadline]));
    let address = Gateway::start(Kind::HttpApi, DEFAULT_STAGE, &api).address;
    let start = async move || {
        let path = "/v1/users/u/sessions/s";
        let answer = tokio::task::spawn_blocking(move || call(address, "PUT", path, None, None));
        answer.await.unwrap()
    };
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
