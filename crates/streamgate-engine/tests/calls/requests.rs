//! The requests of a server that each call takes, as `docs/scaling.md` counts and prices them: a
//! load and a commit are one request each, of Redis as of DynamoDB. And the size of a user's
//! record.

use std::sync::Arc;
use std::time::Duration;

use streamgate_clock::ManualClock;
use streamgate_core::admission::{SessionsQuery, Start};
use streamgate_core::bounds::CLOCK_SKEW_MAX_S;
use streamgate_core::ids::Name;
use streamgate_core::{Policy, Seconds, SessionMetadata, UserKey};
use streamgate_engine::{Engine, EngineError, EngineSettings, NoObserver, RandomIds};
use streamgate_store::versioned::{Optimistic, Version};

use crate::calls::suspended::server::{Node, Server, Speculates};
use crate::support::{START_OF_TIME, heartbeat, start, stop, user};

/// One or two nodes over one server. With two, each call goes to the one that did not write last.
struct Nodes {
    clock: Arc<ManualClock>,
    server: Arc<Server>,
    nodes: Vec<(Arc<Optimistic<Node>>, Engine)>,
    user: UserKey,
    writes: usize,
}

/// The calls of [`Nodes::all`], in their order.
const CALLS: [&str; 10] = [
    "a user's first start",
    "start",
    "start, the last free slot",
    "start, refused",
    "heartbeat within the write interval",
    "heartbeat",
    "who is watching",
    "stop",
    "stop again",
    "heartbeat after the stop",
];

impl Nodes {
    fn new(count: usize, speculates: Speculates) -> Self {
        let clock = Arc::new(ManualClock::at(START_OF_TIME));
        let server = Arc::new(Server::new(Arc::clone(&clock)));
        let policy = Policy {
            heartbeat_write_interval: Seconds(60),
            clock_skew: Seconds(CLOCK_SKEW_MAX_S),
            ..Policy::default()
        };
        let policy = Arc::new(policy.checked().unwrap());
        let node = |_| {
            let node = Arc::new(Optimistic::new(Node::new(Arc::clone(&server), speculates)));
            let engine = Engine::new(
                Arc::clone(&node) as _,
                Arc::clone(&policy),
                Arc::new(RandomIds),
                Arc::new(NoObserver),
                EngineSettings::default(),
            );
            (node, engine)
        };
        Self {
            nodes: (0..count).map(node).collect(),
            clock,
            server,
            user: user("0f8fad5b-d9cb-469f-a165-70867728950e"),
            writes: 0,
        }
    }

    /// The node that the next call goes to.
    fn next(&self) -> &Engine {
        &self.nodes[self.writes % self.nodes.len()].1
    }

    /// Loads and commits so far.
    fn requests(&self) -> [usize; 2] {
        let nodes = self.nodes.iter();
        let each = nodes.map(|(node, _)| *node.remote().requests.lock().unwrap());
        each.fold([0, 0], |[loads, commits], [more_loads, more_commits]| {
            [loads + more_loads, commits + more_commits]
        })
    }

    /// Loads and commits of each of [`CALLS`].
    async fn all(mut self) -> Vec<[usize; 2]> {
        let mut all = Vec::new();
        for call in CALLS {
            let ([loads, commits], record) = (self.requests(), self.server.record(&self.user));
            self.call(call).await;
            if self.server.record(&self.user) != record {
                self.writes += 1;
            }
            let [more_loads, more_commits] = self.requests();
            all.push([more_loads - loads, more_commits - commits]);
        }
        all
    }

    async fn call(&self, call: &str) {
        if call.starts_with("heartbeat") {
            self.clock.advance(Duration::from_secs(30));
        }
        let (user, place) = (self.user.clone(), CALLS.iter().position(|it| *it == call));
        // Of a UUID's length, as most ids of sessions are.
        let session = |place| format!("0193503c-5d3e-7c4a-9a3b-00000000000{place}");
        let node = self.next();
        match call {
            "who is watching" => {
                let query = SessionsQuery::default();
                node.sessions(&user, &query).await.unwrap();
            }
            _ if call.starts_with("stop") => drop(node.stop(&user, &stop(&session(0))).await),
            _ if call.starts_with("heartbeat") => {
                drop(node.heartbeat(&user, &heartbeat(&session(0))).await);
            }
            _ => drop(node.start(&user, &start(&session(place.unwrap()))).await),
        }
    }
}

#[tokio::test]
async fn each_call_takes_the_loads_and_commits_of_the_table() {
    let one_node = |speculates| Nodes::new(1, speculates).all();
    let any_node = |speculates| Nodes::new(2, speculates).all();
    let dynamodb_any = [
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 0],
        [1, 0],
        [1, 1],
        [1, 0],
        [1, 1],
        [1, 0],
        [1, 0],
    ];
    let dynamodb_one = [
        [1, 1],
        [0, 1],
        [0, 1],
        [1, 0],
        [0, 0],
        [0, 1],
        [1, 0],
        [0, 1],
        [1, 0],
        [1, 0],
    ];
    assert_eq!(
        any_node(Speculates::Never).await,
        dynamodb_any,
        "DynamoDB, any node"
    );
    assert_eq!(
        one_node(Speculates::IfSoleWriter).await,
        dynamodb_one,
        "DynamoDB, one node"
    );
    // On Redis only the sum counts: a load is a script, as a commit is.
    let scripts = |all: Vec<[usize; 2]>| -> Vec<usize> {
        all.iter().map(|[loads, commits]| loads + commits).collect()
    };
    let any = scripts(any_node(Speculates::Always).await);
    assert_eq!(any, [1, 2, 2, 1, 1, 2, 1, 2, 1, 1], "Redis, any node");
    let one = scripts(one_node(Speculates::Always).await);
    assert_eq!(one, [1, 1, 1, 1, 0, 1, 1, 1, 1, 1], "Redis, one node");
}

/// The bytes of a DynamoDB item: its values, the names of its four attributes, and a time of ten
/// digits, which takes six.
fn item_bytes(nodes: &Nodes) -> usize {
    let record = nodes.server.record(&nodes.user).unwrap();
    nodes.user.as_bytes().len() + Version::BYTES + record.len() + 6 + 4
}

#[tokio::test]
async fn items_of_users_have_the_sizes_of_the_table() {
    let metadata = || {
        let name = |text: &str| Name::new(text).map(Some).unwrap();
        Arc::new(SessionMetadata {
            device_id: name("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            device_name: name("Living room TV"),
            device_class: name("tv"),
            content_id: name("series-4711-s02e05"),
            content_type: name("episode"),
            ..SessionMetadata::default()
        })
    };
    let plain = Nodes::new(1, Speculates::Never);
    for (call, bytes) in CALLS.iter().zip([103, 140, 177]) {
        plain.call(call).await;
        assert_eq!(item_bytes(&plain), bytes, "{call}");
    }
    let named = Nodes::new(1, Speculates::Never);
    let user = named.user.clone();
    for number in 0..22 {
        let session = format!("0193503c-5d3e-7c4a-9a3b-0000000000{number:02}");
        let mut start = start(&session);
        start.metadata = Some(metadata());
        let node = named.next();
        node.start(&user, &start).await.unwrap();
        if number == 2 {
            assert_eq!(item_bytes(&named), 426, "3 sessions with metadata");
        }
        if number >= 2 {
            let node = named.next();
            node.stop(&user, &stop(&session)).await.unwrap();
        }
    }
    assert_eq!(
        item_bytes(&named),
        786,
        "2 sessions with metadata, 20 stopped"
    );
}

#[tokio::test]
async fn a_start_with_a_field_of_a_newer_format_sends_nothing_until_the_mark_is_raised() {
    let nodes = Nodes::new(1, Speculates::Never);
    let metadata = SessionMetadata {
        region: Name::new("eu-west").map(Some).unwrap(),
        ..SessionMetadata::default()
    };
    let start = Start {
        metadata: Some(metadata.into()),
        ..start("s")
    };
    nodes.next().check_ready().await.unwrap();
    let told = nodes.next().start(&nodes.user, &start).await;
    assert_eq!(told, Err(EngineError::NeedsFormat(2)));
    assert_eq!(nodes.requests(), [0, 0]);
    nodes.server.mark(2);
    nodes.next().check_ready().await.unwrap();
    nodes.next().start(&nodes.user, &start).await.unwrap();
    assert_eq!(nodes.server.record(&nodes.user).unwrap()[0], 2);
}
