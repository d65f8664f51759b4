//! How much memory users with live sessions take, on Redis and in the embedded store.
//!
//! They are started through the engine, as by a node, so that names, versions, expiry times and
//! records are what they are in life.

use std::sync::Arc;

use clap::ValueEnum;
use streamgate_clock::SystemClock;
use streamgate_core::admission::{Start, StartOutcome};
use streamgate_core::{Policy, TenantId, UserId, UserKey};
use streamgate_engine::{Engine, EngineSettings, NoObserver, RandomIds};
use streamgate_store::Store;
use streamgate_store::versioned::Optimistic;
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore};
use streamgate_store_redis::{RedisSettings, RedisStore};
use tokio::task::JoinSet;

use crate::Result;
use crate::failed;
use crate::servers::Redis;
use crate::table::Table;

/// How many starts are under way at once.
const CALLERS: u64 = 64;

/// Where users are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Kept {
    /// In one Redis server that is a cluster by itself, as one primary of many is.
    #[default]
    Redis,
    /// In the embedded store, in this process.
    Embedded,
}

/// Fills a store, and returns what it took.
pub(crate) fn run(kept: Kept, users: u64, sessions: u64, user_letters: usize) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let people = People {
        users,
        sessions,
        user_letters,
    };
    let bytes = match kept {
        Kept::Redis => runtime.block_on(on_redis(people))?,
        Kept::Embedded => runtime.block_on(embedded(people))?,
    };
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let per = |count: u64| format!("{:.0}", bytes / count as f64);
    let mut table = Table::new(&[
        "memory",
        "users",
        "sessions each",
        "letters of a user's id",
        "MB",
        "bytes a user",
        "bytes a session",
    ]);
    table.row(vec![
        format!("{kept:?}"),
        users.to_string(),
        sessions.to_string(),
        user_letters.to_string(),
        format!("{:.1}", bytes / 1e6),
        per(users),
        per(users * sessions),
    ]);
    Ok(table.to_markdown())
}

/// Who is watching.
#[derive(Debug, Clone, Copy)]
struct People {
    users: u64,
    sessions: u64,
    user_letters: usize,
}

async fn on_redis(people: People) -> Result<f64> {
    let redis = Redis::start().await?;
    let store = RedisStore::open(&RedisSettings::new(&redis.url())).await?;
    let store = Arc::new(Optimistic::new(store));
    // Scripts and connections are there already: what comes is users.
    let before = redis.info("memory", "used_memory")?;
    fill(store, people).await?;
    Ok(redis.info("memory", "used_memory")? - before)
}

async fn embedded(people: People) -> Result<f64> {
    let dir = tempfile::tempdir_in(".")?;
    let config = EmbeddedConfig {
        // What is in memory is the same.
        durability: DurabilityMode::None,
        ..EmbeddedConfig::new(dir.path())
    };
    let clock = Arc::new(SystemClock::new());
    let observer = Arc::new(streamgate_store_embedded::NoLogObserver);
    let store = Arc::new(EmbeddedStore::open(config, clock, observer, failed())?);
    let before = resident_bytes()?;
    fill(Arc::clone(&store), people).await?;
    let bytes = resident_bytes()? - before;
    store.close().await?;
    Ok(bytes)
}

/// Starts the sessions of all users, the first of each before the second of any.
async fn fill(store: Arc<impl Store>, people: People) -> Result<()> {
    let engine = Arc::new(Engine::new(
        store,
        Arc::new(Policy {
            default_limit: u32::try_from(people.sessions)?,
            ..Policy::default()
        }),
        Arc::new(RandomIds),
        Arc::new(NoObserver),
        EngineSettings::default(),
    ));
    let mut callers: JoinSet<Result<()>> = JoinSet::new();
    for caller in 0..CALLERS {
        let engine = Arc::clone(&engine);
        callers.spawn(async move {
            for _ in 0..people.sessions {
                for number in (caller..people.users).step_by(usize::try_from(CALLERS)?) {
                    let user =
                        UserId::new(format!("{number:0width$}", width = people.user_letters))?;
                    let user = UserKey::new(&TenantId::default_tenant(), &user);
                    let start = Start::new(engine.new_session_id_v4());
                    let outcome = engine.start(&user, &start).await?.outcome;
                    if !matches!(outcome, StartOutcome::Admitted(_)) {
                        return Err(format!("not admitted: {outcome:?}").into());
                    }
                }
            }
            Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}

/// The memory that this process has now.
fn resident_bytes() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next());
    Ok(kb.ok_or("a process has memory")?.parse::<f64>()? * 1024.0)
}
