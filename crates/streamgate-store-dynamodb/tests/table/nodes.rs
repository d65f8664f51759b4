//! Several nodes over one table: together they admit exactly the limit, whatever gets lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamgate_core::admission::{SessionsQuery, Start, StartOutcome};
use streamgate_core::{Event, Policy, SessionId, UserKey};
use streamgate_engine::{Engine, EngineObserver, EngineSettings, RandomIds};
use streamgate_store::conformance::{read_ledger, run};
use streamgate_store::versioned::Optimistic;
use streamgate_store_dynamodb::DynamoDbStore;
use streamgate_testkit::proxy::http::{Act, Proxy, Request};
use tokio::task::JoinSet;

use crate::support::{config, connect, hasty, server_with_table, user};

const NODES: usize = 4;
const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_table_admit_exactly_the_limit() {
    let server = server_with_table().await;
    let mut nodes: Vec<Arc<Optimistic<DynamoDbStore>>> = Vec::new();
    for _ in 0..NODES {
        let store = connect(&config(&server.url())).await;
        nodes.push(Arc::new(Optimistic::new(store)));
    }
    for round in 0..ROUNDS {
        let key = user(&format!("u{round}"));
        let mut starts = JoinSet::new();
        for i in 0..200 {
            let (node, key) = (Arc::clone(&nodes[i % NODES]), key.clone());
            starts.spawn(async move {
                let ran = run(&*node, &key, &start(i)).await.unwrap();
                matches!(ran.outcome, StartOutcome::Admitted(_))
            });
        }
        let admitted = starts.join_all().await.into_iter().filter(|yes| *yes);
        assert_eq!(admitted.count(), 3, "round {round}");
        let ledger = read_ledger(&*nodes[0], &key).await.unwrap();
        assert_eq!(ledger.live.len(), 3, "round {round}");
    }
}

/// Remembers which sessions started.
#[derive(Debug, Default)]
struct Started(Mutex<Vec<SessionId>>);

impl EngineObserver for Started {
    fn committed(&self, _user: &UserKey, events: &[Event]) {
        for event in events {
            if let Event::Started(session) = event {
                self.0.lock().unwrap().push(session.id.clone());
            }
        }
    }
}

/// Loses an answer or a request of every few writes, each node in a rhythm of its own.
fn lossy(every: usize) -> impl FnMut(&Request) -> Act + Send + 'static {
    let mut writes = 0;
    move |request| {
        if request.operation != "PutItem" {
            return Act::Pass;
        }
        writes += 1;
        match writes % every {
            0 if writes % 2 == 0 => Act::LoseRequest,
            0 => Act::LoseAnswer,
            _ => Act::Pass,
        }
    }
}

/// What callers are told, what observers hear and what is stored are the same three sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_let_nobody_in_and_keep_nobody_out() {
    let server = server_with_table().await;
    let started = Arc::new(Started::default());
    let mut nodes = Vec::new();
    let mut proxies = Vec::new();
    for node in 0..NODES {
        let proxy = Proxy::before(&server.url(), lossy(2 + node)).await;
        let store = Optimistic::new(connect(&hasty(proxy.url())).await);
        let settings = EngineSettings {
            deadline: Duration::from_secs(30),
            ..EngineSettings::default()
        };
        nodes.push(Arc::new(Engine::new(
            Arc::new(store),
            Arc::new(Policy::default()),
            Arc::new(RandomIds),
            started.clone(),
            settings,
        )));
        proxies.push(proxy);
    }
    for round in 0..ROUNDS {
        let key = user(&format!("u{round}"));
        let told = start_on_all(&nodes, &key).await;
        assert_eq!(told.len(), 3, "round {round}");
        let heard = std::mem::take(&mut *started.0.lock().unwrap());
        assert_eq!(told, heard.iter().map(ToString::to_string).collect());
        assert_eq!(heard.len(), 3, "each is heard of once");
        let view = nodes[0]
            .sessions(&key, &SessionsQuery::default())
            .await
            .unwrap();
        let stored = view.sessions.iter().map(|session| session.id.to_string());
        assert_eq!(told, stored.collect());
    }
}

/// The sessions that were told that they were admitted.
async fn start_on_all(nodes: &[Arc<Engine>], key: &UserKey) -> BTreeSet<String> {
    let mut starts = JoinSet::new();
    for i in 0..20 {
        let (node, key) = (Arc::clone(&nodes[i % NODES]), key.clone());
        starts.spawn(async move {
            let start = start(i);
            match node
                .start(&key, &start)
                .await
                .map(|told| told.outcome)
                .unwrap()
            {
                StartOutcome::Admitted(_) => Some(start.id.to_string()),
                StartOutcome::Refused(_) => None,
                StartOutcome::AlreadyLive(_)
                | StartOutcome::Taken
                | StartOutcome::UnknownPlan(_) => {
                    panic!("{} was told nothing before", start.id)
                }
            }
        });
    }
    starts.join_all().await.into_iter().flatten().collect()
}

fn start(i: usize) -> Start {
    Start::new(SessionId::new(&format!("s{i}")).unwrap())
}
