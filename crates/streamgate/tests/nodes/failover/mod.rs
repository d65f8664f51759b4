//! Failover of Redis under load, of a primary whose last writes reached no replica: how long calls
//! fail, what players are told, and which acknowledged sessions are lost.

mod account;
mod crowd;
mod player;

use std::time::Duration;

use streamgate_clock::Stopwatch;

use crate::nodes::topologies::Topology;
use account::{Account, Fate};
use crowd::{Crowd, Kind};
use streamgate_testkit::{eventually, pause};

/// The limit of every user.
const LIMIT: usize = 3;

/// Users of each kind.
const USERS: usize = 96;

/// Of these, so many are called about only once the replicas are cut off: they have no session
/// then.
const LATE_USERS: usize = 32;

/// Players of each kind; every second one calls the second node. More than the limit, all for the
/// same users.
const PLAYERS: usize = 6;

/// So many starts the primary acknowledges after its replicas were cut off.
const ALONE: u64 = 40;

/// So many times those who wait for a replica hear that they cannot be served, meanwhile. By then
/// each of their calls was tried as often as nodes try one.
const REFUSED: u64 = PLAYERS as u64;

/// So many starts each node acknowledges after the failover before it counts as over.
const AFTERWARDS: u64 = 40;

/// How long all of it may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it may take from the end of the failover until users whose primary died are served
/// again: the nodes have to hear of it.
const HEALED_WITHIN: Duration = Duration::from_secs(20);

/// How much earlier than the replicas were cut off a start may have been acknowledged that they
/// have not heard of: a primary answers first and passes on then.
const LAG_MAX: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinel_failover_loses_only_unreplicated_starts() {
    let servers = Topology::sentinel();
    fail_over(servers, &[Kind::Plain, Kind::Careful]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_failover_loses_only_unreplicated_starts() {
    let servers = Topology::cluster();
    // The replica that takes over has none of its own. Nodes that wait for one change nothing there
    // until it has.
    fail_over(servers, &[Kind::Plain]).await;
}

/// What happened when, since the beginning.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Nothing reaches the replicas.
    cut_off: Duration,
    /// The primary is dead, and the replicas are left to themselves.
    killed: Duration,
    /// The first start of a user whose primary died is acknowledged after that, by plain nodes.
    again: Duration,
}

/// Lets the primary of a topology die while two kinds of nodes serve players, and settles what they
/// were told. Of the kinds in `healing`, users whose primary died are served again.
async fn fail_over(mut servers: Topology, healing: &[Kind]) {
    let watch = Stopwatch::start();
    let plain = Crowd::begin(Kind::Plain, &servers.url, watch).await;
    let careful = Crowd::begin(Kind::Careful, &servers.url, watch).await;
    let mut crowds = [plain, careful];
    for crowd in &crowds {
        eventually("every user has sessions", || crowd.everybody_has_started());
    }
    let bereaved = servers.users_of_primary();
    for crowd in &mut crowds {
        crowd.knows_bereaved(&bereaved);
    }
    servers.cut_off_replicas();
    let cut_off = watch.elapsed();
    let enough = crowds[0].starts_of_bereaved(None) + ALONE;
    let refused = crowds[1].errors() + REFUSED;
    for crowd in &crowds {
        crowd.begin_late();
    }
    eventually("the primary goes on alone", || {
        crowds[0].starts_of_bereaved(None) >= enough && crowds[1].errors() >= refused
    });
    servers.kill_primary();
    let killed = watch.elapsed();
    // An election of sentinels that fails is repeated ten seconds later.
    eventually("a replica takes over", || servers.are_failed_over());
    let failed_over = watch.elapsed();
    servers.fail_over_no_more();
    for crowd in crowds.iter().filter(|crowd| healing.contains(&crowd.kind)) {
        heals(crowd, || watch.elapsed() - failed_over);
    }
    let through = crowds[0].addresses();
    for crowd in &mut crowds {
        crowd.call_off().await;
    }
    let looked_after = cut_off.saturating_sub(LAG_MAX)..killed + LAG_MAX;
    let mut accounts = Vec::new();
    for crowd in &mut crowds {
        accounts.push(crowd.settle(&through, &looked_after).await);
    }
    let again = accounts[0].first_start_sent_after(killed, &crowds[0].bereaved);
    let times = Times {
        cut_off,
        killed,
        again: again.expect("it has healed"),
    };
    print_head(&servers, times);
    for (crowd, account) in crowds.iter().zip(&accounts) {
        print(crowd, account, times, healing.contains(&crowd.kind));
        check(crowd, account, times);
    }
}

/// Waits until users whose primary died are served again, by both nodes.
fn heals(crowd: &Crowd, since_failover: impl Fn() -> Duration) {
    for node in [0, 1] {
        let enough = crowd.starts_of_bereaved(Some(node)) + AFTERWARDS;
        while crowd.starts_of_bereaved(Some(node)) < enough {
            let waited = since_failover();
            assert!(waited < HEALED_WITHIN, "{:?} does not heal", crowd.kind);
            pause();
        }
    }
}

/// What the operator's guide promises.
fn check(crowd: &Crowd, account: &Account, times: Times) {
    assert!(account.refused > 0 && account.renewed > 0, "{account:?}");
    let is_503 = |status: &u16| *status == 503;
    assert!(account.errors.keys().all(is_503), "{:?}", account.errors);
    let lag = times.cut_off.saturating_sub(LAG_MAX);
    for told in &account.told {
        match told.fate {
            Fate::Forgotten => assert!(
                lag <= told.from
                    && told.sent <= times.killed
                    && crowd.bereaved.contains(&told.user),
                "{told:?}, {times:?}"
            ),
            Fate::LiveAgain(stopped) => assert!(lag <= stopped, "{told:?}, {times:?}"),
            Fate::Live | Fate::Stopping | Fate::Stopped(_) => {}
        }
    }
    let others = crowd.others();
    assert!(
        others.is_empty() || account.starts_between(&others, times.killed, times.again) > 0,
        "users of other primaries are served all the time"
    );
    let over = account.over_limit(LIMIT);
    for (user, over) in &over {
        let forgotten = account.forgotten_of(*user);
        assert!(
            *over <= forgotten,
            "{user}: {over} for {forgotten} forgotten"
        );
    }
    match crowd.kind {
        Kind::Plain => assert!(account.forgotten() > 0, "else this proves nothing"),
        Kind::Careful => {
            assert_eq!(account.forgotten(), 0, "a replica had them");
            assert_eq!(account.live_again(), 0, "a replica had their stops");
            assert_eq!(over.len(), 0, "{over:?}");
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "figures, for those who look at a test's output"
)]
fn print_head(servers: &Topology, times: Times) {
    println!(
        "{}: kill -9 of a primary whose replicas were cut off {} ms before\n\
         | acknowledged by | without service | errors | starts acknowledged | of these lost | \
         stops lost | users over the limit | sessions over it | refused (409) | \
         starts of other users meanwhile |",
        servers.name,
        (times.killed - times.cut_off).as_millis(),
    );
}

#[expect(
    clippy::print_stdout,
    reason = "figures, for those who look at a test's output"
)]
fn print(crowd: &Crowd, account: &Account, times: Times, is_served: bool) {
    let by = match crowd.kind {
        Kind::Plain => "primary",
        Kind::Careful => "replica",
    };
    let gap = match account.longest_gap(&crowd.bereaved) {
        Some(gap) if is_served => format!("{} ms", gap.as_millis()),
        _ => "no replica is left".to_owned(),
    };
    let over = account.over_limit(LIMIT);
    println!(
        "| {by} | {gap} | {:?} | {} | {} | {} | {} | {} | {} | {} |",
        account.errors,
        account.told.len(),
        account.forgotten(),
        account.live_again(),
        over.len(),
        over.values().sum::<usize>(),
        account.refused,
        account.starts_between(&crowd.others(), times.killed, times.again),
    );
}
