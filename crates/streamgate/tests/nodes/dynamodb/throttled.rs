//! A table beyond its provisioned throughput: DynamoDB refuses requests as retryable.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use tokio::task::JoinSet;

use super::{nodes, table};
use crate::nodes::Nodes;

use streamgate_testkit::proxy::http::{Act, Proxy, Request};
use streamgate_testkit::{Answer, Client, Process};

const LIMIT: usize = 3;
const USERS: usize = 40;

/// The deadline of the nodes, and how much later a loaded machine may say so.
const DEADLINE: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_secs(4);

/// How long service may take to come back, on such a machine.
const RECOVERY_MAX: Duration = Duration::from_secs(15);

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Nothing,
    /// The first two attempts of every request.
    First,
    All,
}

/// Two nodes over a table that throttles, and one over the same table that is never throttled.
struct World {
    refused: Arc<Mutex<Refused>>,
    /// How many attempts were refused.
    refusals: Arc<AtomicUsize>,
    throttled: Nodes,
    clean: Nodes,
    proxy: Proxy,
    _emulator: Process,
}

impl World {
    async fn start() -> Self {
        let emulator = table();
        let refused = Arc::new(Mutex::new(Refused::Nothing));
        let refusals = Arc::new(AtomicUsize::new(0));
        let plan = {
            let (refused, refusals) = (Arc::clone(&refused), Arc::clone(&refusals));
            move |request: &Request| act(*refused.lock().unwrap(), &refusals, request)
        };
        let proxy = Proxy::before(&emulator.url(), plan).await;
        let port = proxy.url().rsplit(':').next().unwrap().parse().unwrap();
        Self {
            refused,
            refusals,
            throttled: nodes(port, 2, &[]),
            clean: nodes(emulator.port, 1, &[]),
            proxy,
            _emulator: emulator,
        }
    }

    fn refuse(&self, refused: Refused) {
        *self.refused.lock().unwrap() = refused;
    }

    async fn client(&self, node: usize) -> Client {
        let nodes = &self.throttled.servers;
        let node = &nodes[node % nodes.len()];
        Client::connect(node.address).await.unwrap()
    }

    async fn live(&self, user: &str) -> Vec<String> {
        let clean = self.clean.servers[0].address;
        let mut client = Client::connect(clean).await.unwrap();
        client.live(user).await.unwrap()
    }
}

fn act(refused: Refused, refusals: &AtomicUsize, request: &Request) -> Act {
    let is_refused = match refused {
        Refused::Nothing => false,
        Refused::First => {
            // Such as `attempt=1; max=6`.
            let attempt = header(request, "amz-sdk-request");
            attempt.starts_with("attempt=1;") || attempt.starts_with("attempt=2;")
        }
        Refused::All => true,
    };
    if is_refused {
        refusals.fetch_add(1, Ordering::Relaxed);
        Act::refuse("ProvisionedThroughputExceededException")
    } else {
        Act::Pass
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    let mut lines = request.head.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("{name}: {}", request.head))
}

/// Calls, and sees to it that the answer is in time.
async fn call(client: &mut Client, method: &str, path: &str) -> (bool, Answer) {
    let waited = Stopwatch::start();
    let answer = client.send(method, path, None).await.unwrap();
    assert!(waited.elapsed() < DEADLINE + SLACK, "{answer:?}");
    let says_when = answer.header("retry-after") == "1";
    (says_when, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brief_dynamodb_throttling_refuses_no_start_and_keeps_the_limit() {
    let world = World::start().await;
    world.refuse(Refused::First);
    let mut starts = JoinSet::new();
    for user in 0..USERS {
        for player in 0..5 {
            let mut client = world.client(player).await;
            starts.spawn(async move {
                let path = format!("/v1/users/u{user}/sessions/p{player}");
                let (_, answer) = call(&mut client, "PUT", &path).await;
                (user, answer)
            });
        }
    }
    let mut admitted = [0; USERS];
    for (user, answer) in starts.join_all().await {
        match answer.status {
            201 => admitted[user] += 1,
            409 => assert_eq!(answer.code(), "limit_reached"),
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(admitted, [LIMIT; USERS]);
    for user in 0..USERS {
        assert_eq!(world.live(&format!("u{user}")).await.len(), LIMIT);
    }
    // Calls about one user that wait at a node together share their requests: for each user there
    // is at least a load and a commit. Each is made three times.
    let requests = world.proxy.take_seen().len();
    assert!(requests >= USERS * 2 * 3, "{requests} requests");
    let refusals = world.refusals.load(Ordering::Relaxed);
    assert!(refusals >= USERS * 2 * 2, "{refusals} refusals");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_dynamodb_throttling_is_503_in_time_and_leaves_no_session() {
    let world = World::start().await;
    let mut client = world.client(0).await;
    for i in 0..LIMIT {
        let answer = client.start("full", &format!("s{i}")).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    world.refuse(Refused::All);
    let mut calls = JoinSet::new();
    let paths = (0..8).map(|i| ("PUT", format!("/v1/users/u{i}/sessions/s")));
    let full = "/v1/users/full/sessions";
    let others = [
        ("PUT", format!("{full}/one-too-many")),
        ("POST", format!("{full}/s0/heartbeat")),
        ("DELETE", format!("{full}/s1")),
        ("GET", full.to_owned()),
    ];
    for (i, (method, path)) in paths.chain(others).enumerate() {
        let mut client = world.client(i).await;
        calls.spawn(async move { call(&mut client, method, &path).await });
    }
    for (says_when, answer) in calls.join_all().await {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(says_when, "{answer:?}");
    }
    for node in &world.throttled.servers {
        assert_eq!(node.call("GET", "/readyz", None).status, 503);
        assert_eq!(node.call("GET", "/healthz", None).status, 200);
    }
    assert_eq!(world.live("full").await, ["s0", "s1", "s2"]);
    for user in 0..8 {
        assert!(world.live(&format!("u{user}")).await.is_empty());
    }

    world.refuse(Refused::Nothing);
    let resumed = Stopwatch::start();
    for user in 0..8 {
        let mut client = world.client(user).await;
        let user = format!("u{user}");
        loop {
            let answer = client.start(&user, "s").await.unwrap();
            match answer.status {
                201 => break,
                503 => assert!(resumed.elapsed() < RECOVERY_MAX, "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
        }
    }
    let refused = client.start("full", "one-too-many").await.unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
}
