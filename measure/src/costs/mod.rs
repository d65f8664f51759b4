//! What calls ask of a store on a server, counted where the store is asked.

mod counted;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use streamgate_clock::ManualClock;
use streamgate_core::admission::{Heartbeat, SessionsQuery, Start, Stop};
use streamgate_core::bounds::{CLOCK_SKEW_MAX_S, HEARTBEATS_PER_LEASE, LEASE_DEFAULT_S};
use streamgate_core::ids::Name;
use streamgate_core::{
    EndReason, Policy, Seconds, SessionId, SessionMetadata, TenantId, Timestamp, UserId, UserKey,
};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_store::versioned::Optimistic;

use crate::Result;
use crate::table::Table;
use counted::{Come, Counted, Server, Used};

/// How long an average session is.
const SESSION_S: u64 = 40 * 60;

/// How many sessions of one user are played, one after the other, and for how many hours they
/// stand.
const SESSIONS: u64 = 150;
const HOURS: u64 = SESSIONS * SESSION_S / 3_600;

/// How often players call, and for how long their heartbeats need not be written; in seconds.
const ASKED: [(u32, u32); 8] = [
    (30, 0),
    (30, 60),
    (30, 600),
    (60, 0),
    (60, 60),
    (60, 600),
    (200, 0),
    (200, 600),
];

/// When all begins: a usual time, since times are stored in full.
const BEGIN_MS: u64 = 1_800_000_000_000;

/// Counts everything and returns the tables.
pub(crate) fn run(write_usd: f64, read_usd: f64) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let mut text = items().await?;
        for (title, come) in [
            ("Redis, a user's calls come to any node", Come::ToAnyNode),
            ("Redis, a user's calls come to one node", Come::ToOneNode),
        ] {
            let calls = calls(Server::Redis, come).await?;
            text.push_str(&format!("\n{title}:\n\n{calls}"));
        }
        for (title, come) in [
            ("DynamoDB, a user's calls come to any node", Come::ToAnyNode),
            ("DynamoDB, a user's calls come to one node", Come::ToOneNode),
        ] {
            let calls = calls(Server::DynamoDb, come).await?;
            let hours = hours(write_usd, read_usd, come).await?;
            text.push_str(&format!("\n{title}:\n\n{calls}\n{hours}"));
        }
        Ok(text)
    })
}

/// Nodes, one user of theirs, and what they are counted by.
struct World {
    /// The nodes that calls come to in turn.
    nodes: Vec<Engine>,
    turn: AtomicUsize,
    store: Counted,
    clock: Arc<ManualClock>,
    user: UserKey,
}

impl World {
    /// Nodes over an empty table, with the clock skew of DynamoDB.
    fn new(
        server: Server,
        interval_s: u32,
        heartbeat_write_interval_s: u32,
        calls_come: Come,
    ) -> Result<Self> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(BEGIN_MS)));
        let store = Counted::new(Arc::clone(&clock), server, calls_come);
        let policy = Policy {
            lease: Seconds(LEASE_DEFAULT_S.max(interval_s * HEARTBEATS_PER_LEASE)),
            heartbeat_write_interval: Seconds(heartbeat_write_interval_s),
            clock_skew: Seconds(CLOCK_SKEW_MAX_S),
            ..Policy::default()
        };
        let policy = Arc::new(policy.checked()?);
        let user = UserId::new("0f8fad5b-d9cb-469f-a165-70867728950e")?;
        let node = |_| {
            Engine::new(
                Arc::new(Optimistic::new(store.clone())),
                Arc::clone(&policy),
                Arc::new(RandomIds),
                Arc::new(NoObserver),
                EngineSettings::default(),
            )
        };
        let count = match calls_come {
            Come::ToAnyNode => 2,
            Come::ToOneNode => 1,
        };
        Ok(Self {
            nodes: (0..count).map(node).collect(),
            turn: AtomicUsize::new(0),
            store,
            clock,
            user: UserKey::new(&TenantId::default_tenant(), &user),
        })
    }

    /// The node that the next call comes to.
    fn node(&self) -> &Engine {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.nodes[turn % self.nodes.len()]
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Starts a session, and returns its id.
    async fn start(&self, metadata: Option<SessionMetadata>) -> Result<SessionId> {
        let node = self.node();
        let id = node.new_session_id();
        let start = Start {
            metadata: metadata.map(Box::new),
            ..Start::new(id.clone())
        };
        node.start(&self.user, &start).await?;
        Ok(id)
    }

    async fn heartbeat(&self, id: &SessionId) -> Result<()> {
        let heartbeat = Heartbeat { id: id.clone() };
        self.node().heartbeat(&self.user, &heartbeat).await?;
        Ok(())
    }

    async fn stop(&self, id: &SessionId) -> Result<()> {
        let (id, reason) = (id.clone(), EndReason::Stopped);
        self.node().stop(&self.user, &Stop { id, reason }).await?;
        Ok(())
    }
}

/// What one call takes, for each kind of call.
async fn calls(server: Server, come: Come) -> Result<String> {
    let heads = ["call", "loads", "commits", "read units", "write units"];
    let mut table = Table::new(&heads);
    let world = World::new(server, 30, 60, come)?;
    let mut before = world.store.used();
    let mut row = |what: &str| {
        let used = world.store.used() - before;
        before = world.store.used();
        let numbers = [used.loads, used.commits, used.read_units, used.write_units];
        let numbers = numbers.iter().map(u64::to_string);
        table.row([what.to_owned()].into_iter().chain(numbers).collect());
    };
    let id = world.start(None).await?;
    row("start");
    world.start(None).await?;
    world.start(None).await?;
    row("two more starts");
    world.start(None).await?;
    row("start, refused");
    world.wait(30);
    world.heartbeat(&id).await?;
    row("heartbeat within heartbeat_write_interval_s after a written one");
    world.wait(30);
    world.heartbeat(&id).await?;
    row("heartbeat, any other");
    world
        .node()
        .sessions(&world.user, &SessionsQuery::default())
        .await?;
    row("who is watching");
    world.stop(&id).await?;
    row("stop");
    world.stop(&id).await?;
    row("stop again");
    world.heartbeat(&id).await?;
    row("heartbeat after the stop");
    Ok(table.to_markdown())
}

/// How large the item of a user is.
async fn items() -> Result<String> {
    let mut table = Table::new(&["item of a user with", "bytes", "write units"]);
    let mut row = |what: &str, used: Used| {
        let units = used.item_bytes.div_ceil(1_024);
        let (bytes, units) = (used.item_bytes.to_string(), units.to_string());
        table.row(vec![what.to_owned(), bytes, units]);
    };
    let world = World::new(Server::DynamoDb, 30, 60, Come::ToAnyNode)?;
    for what in ["1 session", "2 sessions", "3 sessions"] {
        world.start(None).await?;
        row(what, world.store.used());
    }
    let world = World::new(Server::DynamoDb, 30, 60, Come::ToAnyNode)?;
    for _ in 0..3 {
        world.start(Some(metadata()?)).await?;
    }
    row("3 sessions with metadata", world.store.used());
    let world = World::new(Server::DynamoDb, 30, 60, Come::ToAnyNode)?;
    for _ in 0..2 {
        world.start(Some(metadata()?)).await?;
    }
    for _ in 0..20 {
        let id = world.start(Some(metadata()?)).await?;
        world.stop(&id).await?;
    }
    row(
        "2 sessions with metadata, 20 stopped in 10 minutes",
        world.store.used(),
    );
    Ok(table.to_markdown())
}

/// What a careful client says of a session.
fn metadata() -> Result<SessionMetadata> {
    let name = |text: &str| Name::new(text).map(Some);
    Ok(SessionMetadata {
        device_id: name("6ba7b810-9dad-11d1-80b4-00c04fd430c8")?,
        device_name: name("Living room TV")?,
        device_class: name("tv")?,
        content_id: name("series-4711-s02e05")?,
        content_type: name("episode")?,
        ..SessionMetadata::default()
    })
}

/// What a million hours of streaming take.
async fn hours(write_usd: f64, read_usd: f64, come: Come) -> Result<String> {
    let mut table = Table::new(&[
        "a million hours: heartbeat every",
        "heartbeat_write_interval_s",
        "M heartbeats",
        "M loads",
        "M commits",
        "M read units",
        "M write units",
        "USD on demand",
    ]);
    for (interval_s, heartbeat_write_interval_s) in ASKED {
        let world = World::new(
            Server::DynamoDb,
            interval_s,
            heartbeat_write_interval_s,
            come,
        )?;
        let mut heartbeats = 0;
        for _ in 0..SESSIONS {
            heartbeats += watch(&world, interval_s.into()).await?;
        }
        let used = world.store.used();
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let millions = |count: u64| count as f64 / HOURS as f64;
        let usd = millions(used.read_units) * read_usd + millions(used.write_units) * write_usd;
        let mut row = vec![
            format!("{interval_s} s"),
            heartbeat_write_interval_s.to_string(),
        ];
        let counts = [
            heartbeats,
            used.loads,
            used.commits,
            used.read_units,
            used.write_units,
        ];
        row.extend(counts.map(|count| format!("{:.1}", millions(count))));
        row.push(format!("{usd:.2}"));
        table.row(row);
    }
    Ok(table.to_markdown())
}

/// One session from its start to its stop; returns how many heartbeats it had.
async fn watch(world: &World, interval_s: u64) -> Result<u64> {
    let id = world.start(None).await?;
    let heartbeats = SESSION_S / interval_s - 1;
    for _ in 0..heartbeats {
        world.wait(interval_s);
        world.heartbeat(&id).await?;
    }
    world.wait(interval_s);
    world.stop(&id).await?;
    Ok(heartbeats)
}
