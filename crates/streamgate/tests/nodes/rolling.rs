//! A rolling restart of nodes behind a balancer: no call fails.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use streamgate_clock::Stopwatch;
use streamgate_testkit::{Client, Redis, Server, eventually};
use tempfile::TempDir;

use crate::nodes::balancer::Balancer;
use crate::nodes::redis;

/// Clients that call without pause, each on a connection that it keeps.
const CLIENTS: usize = 8;

/// Longer than the checks of the balancer take, also on a loaded machine.
const DRAIN: &str = "http.drain_s=2";

/// How many more requests must be answered before the next node goes.
const REQUESTS_BETWEEN: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::print_stdout,
    reason = "figures, for those who look at a test's output"
)]
async fn three_nodes_are_restarted_one_by_one_and_no_request_fails() {
    let (redis, dir) = (redis(), TempDir::new().unwrap());
    let addresses = quiet_addresses();
    let start = |address| start_node(&redis, &dir, address);
    let mut nodes: Vec<Server> = addresses.iter().map(start).collect();
    let balancer = Balancer::before(&addresses);
    let load = Load::begin(balancer.address());
    load.goes_on();
    for (i, address) in addresses.iter().enumerate() {
        let gone = Stopwatch::start();
        let ended = nodes.remove(i).terminate();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("cut off"), "{ended:?}");
        let left_ms = gone.elapsed().as_millis();
        nodes.insert(i, start(address));
        eventually("the balancer uses the node again", || balancer.uses(i));
        let back_ms = gone.elapsed().as_millis();
        println!("node {i}: gone {left_ms} ms after SIGTERM, used again after {back_ms} ms");
        load.goes_on();
    }
    let requests = load.end().await;
    println!("{requests} requests through the balancer, none failed");
}

/// A node that listens there and nowhere else.
fn start_node(redis: &Redis, dir: &TempDir, address: &SocketAddr) -> Server {
    let url = format!("store.url=redis://127.0.0.1:{}", redis.port);
    let address = address.to_string();
    let arguments = ["--listen", &address, "--set", &url, "--set", DRAIN];
    Server::start_with(dir.path(), &arguments)
}

/// Addresses that no outgoing connection takes while a node is away: below the ports that the
/// system gives away by itself.
fn quiet_addresses() -> [SocketAddr; 3] {
    let start = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut free = (start..32_000).filter_map(|port| {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        TcpListener::bind(address).ok().map(|_| address)
    });
    std::array::from_fn(|_| free.next().expect("a port is free"))
}

/// Clients that call without pause.
struct Load {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn begin(balancer: SocketAddr) -> Self {
        let (over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let clients = (0..CLIENTS)
            .map(|client| {
                let user = format!("u{client}");
                let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
                tokio::spawn(async move {
                    let mut client = Client::connect(balancer).await.unwrap();
                    for i in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        watch_a_film(&mut client, &user, &format!("s{i}")).await;
                        answered.fetch_add(4, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self {
            over,
            answered,
            clients,
        }
    }

    /// Waits until so many more requests have been answered.
    fn goes_on(&self) {
        let answered = || self.answered.load(Ordering::Relaxed);
        let enough = answered() + REQUESTS_BETWEEN;
        let ended = || {
            self.clients
                .iter()
                .any(tokio::task::JoinHandle::is_finished)
        };
        eventually("requests are answered", || ended() || answered() >= enough);
        assert!(!ended(), "a request has failed");
    }

    /// Ends it; how many requests were answered. Fails where one was not.
    async fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        self.answered.load(Ordering::Relaxed)
    }
}

/// All that a player asks for, and every answer is the right one. Were one lost and the request
/// repeated by the balancer, the answer to a start would tell.
async fn watch_a_film(client: &mut Client, user: &str, session: &str) {
    let started = client.start(user, session).await.unwrap();
    assert_eq!(started.status, 201, "{started:?}");
    assert_eq!(started.json()["active"], 1, "{started:?}");
    let renewed = client.heartbeat(user, session).await.unwrap();
    assert_eq!(renewed.status, 200, "{renewed:?}");
    assert_eq!(client.live(user).await.unwrap(), [session]);
    let stopped = client.stop(user, session).await.unwrap();
    assert_eq!(stopped.status, 204, "{stopped:?}");
}
