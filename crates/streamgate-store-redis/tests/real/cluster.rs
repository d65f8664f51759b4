//! A cluster: the suite, slots that move, and then a primary dies under load.

use std::sync::Arc;

use crate::support::{Load, admitted, eventually, lost, open, open_fresh, settings, start, user};
use streamgate_clock::Stopwatch;
use streamgate_core::TenantId;
use streamgate_store::Store;
use streamgate_store::conformance;
use streamgate_store_redis::RedisSettings;
use streamgate_testkit::{Cluster, Flavour};

/// How long a failover may take here: a server is missed after a second, replicas are elected, and
/// then the store has to hear of it.
const HEALED_WITHIN_S: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite_and_follows_failovers() {
    let mut cluster = Cluster::start(Flavour::Redis);
    let url = cluster.url();
    let open = async || open_fresh(&url).await;
    streamgate_store::conformance_suite!(in_sequence open);
    follows_slots_that_move(&cluster).await;
    survives_a_dead_primary(&mut cluster).await;
    survives_a_sleeping_primary(&cluster).await;
}

/// All slots of the third primary go to the first, one by one, while players start.
async fn follows_slots_that_move(cluster: &Cluster) {
    let store = open_fresh(&cluster.url()).await;
    let load = Load::begin(&store, 8);
    eventually("work is done", 10, async || load.has_done(100)).await;
    let (from, to) = (&cluster.servers[2], &cluster.servers[0]);
    let (from_id, to_id): (String, String) =
        (from.ask(&["CLUSTER", "MYID"]), to.ask(&["CLUSTER", "MYID"]));
    let to_port = to.port.to_string();
    for slot in 16_000..16_040 {
        let page = store.scan(&TenantId::default_tenant(), None, 1_000).await;
        assert!(!page.unwrap().records.is_empty());
        let slot = slot.to_string();
        let _: String = to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        let _: String = from.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        loop {
            let keys: Vec<String> = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let migrate = ["MIGRATE", "127.0.0.1", &to_port, &key, "0", "2000"];
                let _: String = from.ask(&migrate);
            }
        }
        let _: String = to.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        let _: String = from.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
    }
    let done = load.done.load(std::sync::atomic::Ordering::Relaxed);
    eventually("work goes on", 10, async || load.has_done(done + 100)).await;
    let failed = load.failed.load(std::sync::atomic::Ordering::Relaxed);
    let told = load.end().await;
    println!("moving 40 slots: {failed} of {} starts failed", told.len());
    assert_eq!(failed, 0, "redirections are followed");
    assert_eq!(lost(&store, &told).await, 0);
}

async fn survives_a_dead_primary(cluster: &mut Cluster) {
    let careful = RedisSettings {
        wait_replicas: 1,
        ..settings(&cluster.url())
    };
    // The replica that takes over has none of its own to wait for, so another store asks for none.
    let plain = RedisSettings {
        wait_replicas: 0,
        ..careful.clone()
    };
    let (careful, store) = (open(&careful).await, open(&plain).await);
    for i in 0..10 {
        let key = user(&format!("before{i}"));
        assert_eq!(admitted(&[Arc::clone(&careful)], &key, 20).await, 3);
    }
    let (load, other) = (Load::begin(&careful, 8), Load::begin(&store, 2));
    eventually("work is done", 10, async || load.has_done(200)).await;
    cluster.servers[1].kill();
    let healed = heals(&*store).await;
    let (told, also_told) = (load.end().await, other.end().await);
    let (forgotten, also) = (lost(&store, &told).await, lost(&store, &also_told).await);
    println!(
        "Cluster: healed {healed} ms after kill -9; forgotten of {} starts that waited for the \
         replica: {forgotten}, of {} that did not: {also}",
        told.len(),
        also_told.len()
    );
    assert_eq!(forgotten, 0, "they were on two servers");
    for i in 0..10 {
        let key = user(&format!("before{i}"));
        assert!(!start(&*store, &key, "one more").await.unwrap());
    }
}

/// A primary that sleeps is replaced; awake again, it follows and sends its users on.
async fn survives_a_sleeping_primary(cluster: &Cluster) {
    let store = open_fresh(&cluster.url()).await;
    for i in 0..10 {
        start(&*store, &user(&format!("before{i}")), "s")
            .await
            .unwrap();
    }
    cluster.servers[0].freeze();
    let healed = heals(&*store).await;
    println!("Cluster: healed {healed} ms after SIGSTOP");
    cluster.servers[0].thaw();
    eventually("it follows its replica", HEALED_WITHIN_S, async || {
        for i in 0..10 {
            let after = user(&format!("after{i}"));
            start(&*store, &after, "s").await.ok()?;
        }
        let info: String = cluster.servers[0].ask(&["INFO", "replication"]);
        info.contains("role:slave").then_some(())
    })
    .await;
    for i in 0..10 {
        let limit = admitted(&[Arc::clone(&store)], &user(&format!("after{i}")), 10).await;
        assert_eq!(limit, 2, "one of three slots was taken before");
    }
}

/// Waits until users of all parts are served; how long that was, in milliseconds.
async fn heals(store: &dyn Store) -> u128 {
    let away = Stopwatch::start();
    eventually("the store heals", HEALED_WITHIN_S, async || {
        let mut served = 0;
        for i in 0..10 {
            let after = user(&format!("after{i}"));
            served += u32::from(start(store, &after, "s").await.is_ok());
        }
        assert!(served > 0, "two of three parts are served all the time");
        store.check_ready().await.unwrap();
        (served == 10).then(|| away.elapsed().as_millis())
    })
    .await
}

/// Valkey counts its keys slot by slot, so its scans are others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_scans_and_admits_alike() {
    let cluster = Cluster::start(Flavour::Valkey);
    let fresh = async || open_fresh(&cluster.url()).await;
    conformance::a_scan_reads_every_record_once(fresh().await).await;
    conformance::a_scan_continues_after_its_last_record_was_removed(fresh().await).await;
    conformance::a_scan_among_writers_reads_lasting_records_once(fresh().await).await;
    conformance::parallel_starts_admit_exactly_the_limit(fresh().await).await;
}
