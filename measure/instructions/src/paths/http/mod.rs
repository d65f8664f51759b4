//! Whole requests: a socket of the loopback, hyper, the router with keys and metrics, the engine,
//! and the embedded store. Client and server are tasks of one thread.
//!
//! Nothing listens to the logs, which costs as much as a level at which nothing is logged.

mod client;

use std::future;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use streamgate_clock::wall_ms;
use streamgate_core::bounds::BATCH_ENTRIES_MAX;
use streamgate_core::{Policy, TenantId, UserKey};
use streamgate_engine::{Engine, EngineSettings, RandomIds};
use streamgate_server::{
    ApiKey, Keys, Metrics, Observed, Scope, ServerSettings, app, hash_key, parse_hash, serve,
};
use streamgate_store_embedded::{EmbeddedStore, LogObserver};
use streamgate_tokens::{FetchKeys, Fetched, Location, OwnTokens, Settings, SigningKey, Verifier};
use tokio::net::TcpSocket;
use tokio::runtime::Builder;

use crate::Result;
use crate::audience::{SESSIONS, USERS, clock, each_user, seat, session_text, user_text};
use crate::callgrind::laps;
use crate::paths::embedded;
use client::{Client, Request, SOCKET_BYTES};

pub(super) use client::alone as client_alone;

/// How many heartbeats a batch has.
pub(super) const BATCH: u64 = BATCH_ENTRIES_MAX as u64;

/// The key that signs viewer tokens.
static SIGNING: LazyLock<Arc<SigningKey>> = LazyLock::new(|| {
    let pem = SigningKey::generate_pem().expect("there are random bytes");
    Arc::new(SigningKey::from_pem(pem.as_bytes()).expect("it was just made"))
});

/// Issuer and audience of those tokens.
const OWN: (&str, &str) = ("streamgate", "streamgate");

/// The key of the client; as long as those that are generated.
const KEY: &str = "sgk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Heartbeats of live sessions.
pub(super) fn heartbeat(repetitions: u64) -> Result<()> {
    let calls = each_user(|user| {
        let path = format!("{}/heartbeat", session_path(user, 0));
        Ok([Request::new("POST", &path, KEY, "", 200)])
    })?;
    run(USERS, &calls, repetitions)
}

/// The same with the viewers' own tokens, each verified once before.
pub(super) fn heartbeat_token(repetitions: u64) -> Result<()> {
    let calls = each_user(|user| {
        let path = format!("{}/heartbeat", session_path(user, 0));
        let key = UserKey::of_text(&TenantId::default_tenant(), &user_text(user))?;
        let minted = SIGNING.mint(OWN, &key, wall_ms() / 1_000, 86_400)?;
        let credential = format!("authorization: Bearer {}", minted.token);
        Ok([Request::with("POST", &path, &credential, "", 200)])
    })?;
    run(USERS, &calls, repetitions)
}

/// Sessions that start and stop.
pub(super) fn start_stop(repetitions: u64) -> Result<()> {
    let calls = each_user(|user| {
        let path = session_path(user, SESSIONS);
        let start = Request::new("PUT", &path, KEY, "", 201);
        Ok([start, Request::new("DELETE", &path, KEY, "", 204)])
    })?;
    run(USERS, &calls, repetitions)
}

/// Heartbeats of many sessions in one call.
pub(super) fn batch(repetitions: u64) -> Result<()> {
    let users = BATCH / SESSIONS;
    let entry = |number| {
        let (user, session) = (number % users, number / users);
        let (user_id, session_id) = (user_text(user), session_text(user, session));
        format!("{{\"user_id\":\"{user_id}\",\"session_id\":\"{session_id}\"}}")
    };
    let entries: Vec<String> = (0..BATCH).map(entry).collect();
    let body = format!("{{\"heartbeats\":[{}]}}", entries.join(","));
    let call = Request::new("POST", "/v1/heartbeats", KEY, &body, 200);
    run(users, &[[call]], repetitions)
}

fn session_path(user: u64, session: u64) -> String {
    let (user, session) = (user_text(user), session_text(user, session));
    format!("/v1/users/{user}/sessions/{session}")
}

/// Lets users call in turn, over one connection.
fn run<const N: usize>(users: u64, calls: &[[Request; N]], repetitions: u64) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let metrics = Arc::new(Metrics::new(clock()));
        let commits = Arc::new(Commits(Arc::clone(&metrics)));
        let store = Arc::new(embedded::open(dir.path(), commits)?);
        seat(&*store, users, SESSIONS).await?;
        let address = listen(store, metrics)?;
        let mut client = Client::connect(address).await?;
        for requests in laps(calls, repetitions) {
            for request in requests {
                client.call(request).await?;
            }
        }
        Ok(())
    })
}

/// Serves from another task until the runtime ends.
fn listen(store: Arc<EmbeddedStore>, metrics: Arc<Metrics>) -> Result<SocketAddr> {
    let settings = ServerSettings {
        keys: keys()?,
        tokens: Some(Arc::new(tokens()?)),
        ..ServerSettings::default()
    };
    let observed = Observed::new(&settings, Arc::clone(&metrics));
    let engine = Engine::new(
        store,
        Arc::new(Policy::default()),
        Arc::new(RandomIds),
        Arc::new(observed.observers()),
        EngineSettings::default(),
    );
    let http = settings.http.clone();
    let router = app(Arc::new(engine), settings, observed);
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(SOCKET_BYTES)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    tokio::spawn(
        async move { serve(listener, router, &http, None, &metrics, future::pending()).await },
    );
    Ok(address)
}

/// Accepts the tokens of [`SIGNING`], as a server with the embedded store accepts its own.
fn tokens() -> Result<Verifier> {
    let settings = Settings {
        issuers: Vec::new(),
        own: OwnTokens {
            signing: Some(Arc::clone(&SIGNING)),
            ..OwnTokens::default()
        },
    };
    let fetch: Arc<dyn FetchKeys> = Arc::new(Nothing);
    Ok(Verifier::new(settings, &fetch, None)?)
}

/// There is nothing at any URL.
#[derive(Debug)]
struct Nothing;

impl FetchKeys for Nothing {
    fn fetch(&self, _: &Location) -> std::result::Result<Fetched, String> {
        Err("there is nothing".to_owned())
    }
}

/// A key of each scope, as a small operator has them.
fn keys() -> Result<Keys> {
    let key = |name: &str, text: &str, scope| -> Result<ApiKey> {
        Ok(ApiKey {
            name: name.into(),
            sha256: parse_hash(&hash_key(text)).ok_or("a hash is a hash")?,
            scope,
            tenant: TenantId::default_tenant(),
        })
    };
    Ok(Keys::new(vec![
        key("players", KEY, Scope::Player)?,
        key("platform", "another", Scope::Service)?,
        key("ops", "a third", Scope::Admin)?,
    ]))
}

/// Counts commits as `streamgate serve` does.
struct Commits(Arc<Metrics>);

impl LogObserver for Commits {
    fn committed(&self, records: usize, bytes: usize, took: Duration) {
        self.0.observe_commit(records, bytes, took);
    }
}
