//! A frozen store under load: calls end at their deadline, the memory of the node stays bounded,
//! and service resumes by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::{Client, Server, pause};

use crate::nodes::{Nodes, redis};

/// How long it stands still.
const FROZEN: Duration = Duration::from_secs(10);

/// Those who call all that time.
const CLIENTS: usize = 64;

/// So many starts are admitted before it stands still.
const ADMITTED_BEFORE: u32 = 500;

/// How soon each calls again after a refusal: a second is what `Retry-After` says, so this is
/// twenty times as much as players do.
const CALL_AGAIN: Duration = Duration::from_millis(50);

/// A call ends at its deadline of 1 s, and a loaded machine may take as long to say so.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each client has met the deadline by then, and waits for the second time.
const SETTLED: Duration = Duration::from_secs(2);

/// Memory is compared between the first and the last part of the rest, each this long.
const PART: Duration = Duration::from_secs(3);

/// What the least memory of a part may grow by, because it must not depend on how long the store
/// stands still. A kilobyte left behind by each refused call would be more.
const GROWTH_MAX_KB: u64 = 4 * 1_024;

/// What waiting calls, and what the allocator keeps behind them, may take at any time.
const PEAK_MAX_KB: u64 = 16 * 1_024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::print_stdout,
    reason = "figures, for those who look at a test's output"
)]
async fn a_frozen_redis_is_503_at_the_deadline_and_serves_again_once_thawed() {
    let redis = redis();
    let settings = [
        "engine.deadline_ms=1000",
        "store.redis.response_timeout_ms=400",
        "store.redis.wait_timeout_ms=300",
    ];
    let nodes = Nodes::over(
        &redis,
        1,
        &settings.map(|setting| ["--set", setting]).concat(),
    );
    let node = &nodes.servers[0];
    let (admitted, over) = (Arc::<AtomicU32>::default(), Arc::<AtomicBool>::default());
    let mut callers = Vec::new();
    for number in 0..CLIENTS {
        let client = Client::connect(node.address).await.unwrap();
        let (admitted, over) = (Arc::clone(&admitted), Arc::clone(&over));
        callers.push(tokio::spawn(call_until(over, client, number, admitted)));
    }
    while admitted.load(Ordering::Relaxed) < ADMITTED_BEFORE {
        pause();
    }
    let before_kb = resident_kb(node);

    redis.freeze();
    let (first_kb, last_kb, peak_kb) = memory_while_frozen(node);
    assert_eq!(node.call("GET", "/readyz", None).status, 503);
    assert_eq!(node.call("GET", "/healthz", None).status, 200);
    over.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for caller in callers {
        let refused = caller.await.unwrap();
        assert!(refused.users.len() >= 3, "{refused:?}");
        told.push(refused);
    }
    redis.thaw();

    let thawed = Stopwatch::start();
    while node.call("PUT", "/v1/users/u/sessions/s", None).status != 201 {
        assert!(thawed.elapsed() < PATIENCE * 3, "it does not come back");
        pause();
    }
    let resumed = thawed.elapsed();
    let in_doubt = told.iter().map(|refused| &refused.users[0]);
    let was_done = repeat(node, in_doubt).await;
    println!(
        "10 s without the store: {} times 503, after {} ms at most ({was_done} of the first \
         {CLIENTS} were done all the same); {before_kb} kB resident before, at least {first_kb} kB \
         once it waits and {last_kb} kB at the end, {peak_kb} kB at most; served again after {} \
         ms",
        told.iter()
            .map(|refused| refused.users.len())
            .sum::<usize>(),
        told.iter()
            .map(|refused| refused.slowest.as_millis())
            .max()
            .unwrap(),
        resumed.as_millis()
    );
    assert!(
        last_kb < first_kb + GROWTH_MAX_KB,
        "{last_kb} kB, {first_kb} kB at first"
    );
    assert!(
        peak_kb < before_kb + PEAK_MAX_KB,
        "{peak_kb} kB, {before_kb} kB before"
    );
}

/// What one who called was refused.
#[derive(Debug, Default)]
struct Refused {
    /// Whose starts; each user's only one.
    users: Vec<String>,
    /// The longest that one took.
    slowest: Duration,
}

/// Starts sessions until it is over. Each is admitted until the first is refused; from then on each
/// is refused, in time.
async fn call_until(
    over: Arc<AtomicBool>,
    mut client: Client,
    number: usize,
    admitted: Arc<AtomicU32>,
) -> Refused {
    let mut refused = Refused::default();
    for i in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let (call, user) = (Stopwatch::start(), format!("u{number}-{i}"));
        let answer = client.start(&user, "s").await.unwrap();
        let took = call.elapsed();
        if refused.users.is_empty() && answer.status == 201 {
            admitted.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.code(), "store_unavailable");
        assert!(took < PATIENCE, "{took:?}");
        refused.users.push(user);
        refused.slowest = refused.slowest.max(took);
        tokio::time::sleep(CALL_AGAIN).await;
    }
    refused
}

/// Starts once more what was refused: it is safe to, whether the store has done it or not. How many
/// it had.
async fn repeat(node: &Server, users: impl Iterator<Item = &String>) -> usize {
    let mut client = Client::connect(node.address).await.unwrap();
    let mut was_done = 0;
    for user in users {
        let answer = client.start(user, "s").await.unwrap();
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        assert_eq!(answer.json()["active"], 1);
        was_done += usize::from(answer.status == 200);
    }
    was_done
}

/// The memory of a node while the store stands still: the least of the first part and of the last,
/// and the most, in kB.
fn memory_while_frozen(node: &Server) -> (u64, u64, u64) {
    let frozen = Stopwatch::start();
    let (mut first_kb, mut last_kb, mut peak_kb) = (u64::MAX, u64::MAX, 0);
    while frozen.elapsed() < FROZEN {
        let kb = resident_kb(node);
        peak_kb = peak_kb.max(kb);
        let passed = frozen.elapsed();
        if passed > FROZEN - PART {
            last_kb = last_kb.min(kb);
        } else if passed > SETTLED && passed < SETTLED + PART {
            first_kb = first_kb.min(kb);
        }
        pause();
    }
    (first_kb, last_kb, peak_kb)
}

/// Resident memory of a node.
fn resident_kb(node: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}
