//! The limit under parallel starts, in every dialect. The predecessors read a number, compared it
//! and wrote it back, so two requests at once could both be admitted.

use std::sync::Arc;

use streamgate_testkit::{Answer, Client};
use tokio::sync::Barrier;

use crate::dialects::ask::Ask;
use crate::dialects::dialect::{Dialect, Verdict};
use crate::dialects::setup::Service;

const CLIENTS: usize = 200;
/// Rounds at the default limit, and as many again at a limit set through /v1.
const ROUNDS: usize = 10;
const LIMIT: usize = 3;
const OTHER_LIMIT: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_tracker() {
    race(Dialect::SessionTracker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_service() {
    race(Dialect::ConcurrencyService).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_log() {
    race(Dialect::StreamLog).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_streams() {
    race(Dialect::UserStreams).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_requests() {
    race(Dialect::StreamRequests).await;
}

/// A user of a round, and its limit.
#[derive(Debug, Clone)]
struct User {
    name: String,
    limit: usize,
}

/// The users of all rounds. They are introduced beforehand: only starts race.
fn users(service: &Service, dialect: Dialect) -> Arc<[User]> {
    let users = (0..2 * ROUNDS).map(|round| {
        let limit = if round % 2 == 0 { LIMIT } else { OTHER_LIMIT };
        let name = format!("round-{round}");
        service.introduce(dialect, &name);
        if limit == OTHER_LIMIT {
            service.set_limit(&name, limit);
        }
        User { name, limit }
    });
    users.collect()
}

async fn race(dialect: Dialect) {
    let service = Service::start(&[]);
    let users = users(&service, dialect);
    let verdicts = at_once(&service, users.len(), {
        let users = Arc::clone(&users);
        move |client, round| dialect.start(&users[round].name, &format!("s{client}"))
    })
    .await;
    for (User { name, limit }, answers) in users.iter().zip(verdicts) {
        let verdicts: Vec<Verdict> = answers
            .iter()
            .enumerate()
            .map(|(client, answer)| dialect.verdict(answer, name, &format!("s{client}"), *limit))
            .collect();
        let (held, refused): (Vec<_>, Vec<_>) =
            (0..CLIENTS).partition(|client| verdicts[*client].is_held());
        assert_eq!(
            (held.len(), refused.len()),
            (*limit, CLIENTS - limit),
            "{name}"
        );
        assert!(!verdicts.contains(&Verdict::UnknownUser), "{name}");

        let told = || held.iter().map(|client| verdicts[*client].told());
        let mut numbers: Vec<usize> = told().filter_map(|told| told.active).collect();
        numbers.sort_unstable();
        let all: Vec<usize> = (1..=*limit).collect();
        assert!(numbers.is_empty() || numbers == all, "{name}: {numbers:?}");

        let mut live = service.live(name);
        assert_eq!(live.len(), *limit, "{name}: {live:?}");
        live.sort();
        let mut ids: Vec<String> = match dialect {
            // Its clients are never told which session they hold.
            Dialect::SessionTracker => continue,
            Dialect::StreamLog => told().filter_map(|told| told.made).collect(),
            _ => held.iter().map(|client| format!("s{client}")).collect(),
        };
        ids.sort();
        assert_eq!(live, ids, "{name}");
    }
}

/// However many send the same start at once, it takes one slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_start_sent_by_many_at_once_takes_one_slot() {
    let service = Service::start(&[]);
    for dialect in Dialect::ALL {
        if !dialect.names_sessions() {
            continue;
        }
        let user = dialect.name();
        service.introduce(dialect, user);
        let answers = at_once(&service, 1, move |_, _| dialect.start(user, "the-one")).await;
        let verdicts = answers[0]
            .iter()
            .map(|answer| dialect.verdict(answer, user, "the-one", LIMIT));
        let told: Vec<_> = verdicts
            .map(|verdict| {
                assert!(verdict.is_held(), "{dialect:?}: {verdict:?}");
                verdict.told()
            })
            .collect();
        assert!(
            told.iter()
                .all(|told| told.active.is_none_or(|active| active == 1))
        );
        let new = told.iter().filter(|told| told.is_new == Some(true)).count();
        let expected = usize::from(dialect == Dialect::StreamRequests);
        assert_eq!(
            new, expected,
            "one is told that it is new, where the dialect tells"
        );
        assert_eq!(service.live(user), ["the-one"]);
    }
}

/// Of 200 that remove a session at once, as many are told so as there were sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_session_is_removed_once() {
    const REMOVED: &str = r#"{"message":"Number of active session decremented to "#;
    const NONE_LEFT: &str = r#"{"message":"Already 0 active sessions, so can't remove any!"}"#;
    let service = Service::start(&[]);
    let user = |round: usize| format!("round-{round}");
    for round in 0..ROUNDS {
        for _ in 0..LIMIT {
            let started = service.start_session(Dialect::SessionTracker, &user(round), "");
            assert_eq!(started.status, 200, "{started:?}");
        }
    }
    let answers = at_once(&service, ROUNDS, move |_, round| {
        let path = format!("/remove-session?user_id={}", user(round));
        Ask::new("POST", Dialect::SessionTracker.at(&path))
    })
    .await;
    for (round, answers) in answers.into_iter().enumerate() {
        let mut left = Vec::new();
        for answer in answers {
            match answer.status {
                200 => left.push(answer.text),
                _ => assert_eq!((answer.status, answer.text.as_str()), (409, NONE_LEFT)),
            }
        }
        left.sort();
        let expected: Vec<String> = (0..LIMIT).map(|k| format!("{REMOVED}{k}\"}}")).collect();
        assert_eq!(left, expected, "round {round}");
        assert!(service.live(&format!("round-{round}")).is_empty());
    }
}

/// In each round all clients send their request at the same moment, on connections that stand.
/// Gives the answers of each round, by client.
async fn at_once(
    service: &Service,
    rounds: usize,
    ask: impl Fn(usize, usize) -> Ask + Send + Sync + 'static,
) -> Vec<Vec<Answer>> {
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let ask = Arc::new(ask);
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let mut client = Client::connect(service.address()).await.unwrap();
        let (barrier, ask) = (Arc::clone(&barrier), Arc::clone(&ask));
        tasks.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for round in 0..rounds {
                let ask = ask(number, round);
                barrier.wait().await;
                answers.push(ask.send(&mut client).await);
            }
            answers
        }));
    }
    let mut by_round: Vec<_> = (0..rounds).map(|_| Vec::new()).collect();
    for task in tasks {
        for (round, answer) in task.await.unwrap().into_iter().enumerate() {
            by_round[round].push(answer);
        }
    }
    by_round
}
