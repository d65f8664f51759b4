//! A service to call, and what it answered.

pub(crate) mod documented;
pub(crate) mod operations;
pub(crate) mod running;
pub(crate) mod stream;
pub(crate) mod viewers;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use streamgate_clock::ManualClock;
use streamgate_core::codec::decode_ledger;
use streamgate_core::policy::Plan;
use streamgate_core::{
    AtLimit, Command, Durability, Ledger, Policy, SessionId, TenantId, Timestamp, UserId, UserKey,
    decide,
};
use streamgate_engine::{Engine, EngineSettings, IdSource};
use streamgate_server::{
    Activity, ApiKey, CompatSettings, DialectName, Endpoints, Hub, Keys, Metrics, Observed,
    RateLimitSettings, Scope, ServerSettings, app, hash_key, parse_hash,
};
use streamgate_store::{Change, MemoryStore, Store as _, View};

use documented::Call;

/// The time at which every test begins.
pub(crate) const BEGIN: &str = "2026-11-21T06:30:00.000Z";
/// One lease after it.
pub(crate) const ONE_LEASE_LATER: &str = "2026-11-21T06:31:30.000Z";
const BEGIN_MS: u64 = 1_795_242_600_000;

/// The id of every session that the server names.
pub(crate) const MADE_ID: &str = "0193503c-5d3e-7c4a-9a3b-2f6d8e1c4b5a";

/// The same where the id must be a UUID of version 4.
pub(crate) const MADE_V4_ID: &str = "5b0a9d3e-7f61-4c2b-8e4d-1a2b3c4d5e6f";

/// A service, and what it stands on.
pub(crate) struct Service {
    pub(crate) endpoints: Endpoints,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) hub: Arc<Hub>,
}

/// A user of the default tenant.
pub(crate) fn user_key(user: &str) -> UserKey {
    UserKey::new(&TenantId::default_tenant(), &UserId::new(user).unwrap())
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
struct OneId;

impl IdSource for OneId {
    fn session_id(&self) -> SessionId {
        SessionId::new(MADE_ID).unwrap()
    }

    fn session_id_v4(&self) -> SessionId {
        SessionId::new(MADE_V4_ID).unwrap()
    }
}

/// The rules of the tests: at most three, `basic` one, `rolling` two with eviction.
fn policy() -> Policy {
    let plan = |limit, at_limit| Plan { limit, at_limit };
    Policy {
        plans: [
            ("basic", plan(1, None)),
            ("rolling", plan(2, Some(AtLimit::EvictOldest))),
        ]
        .map(|(name, plan)| (streamgate_core::ids::Name::new(name).unwrap(), plan))
        .into(),
        // Tests of eviction start one session right after the other.
        evict_min_age: streamgate_core::Seconds(0),
        ..Policy::default()
    }
}

impl Service {
    /// Open to all.
    pub(crate) fn open() -> Self {
        Self::with(ServerSettings::default())
    }

    /// With a key of each scope, named and written like the scope, and one of another tenant.
    pub(crate) fn keyed() -> Self {
        Self::with(ServerSettings {
            keys: keys(),
            ..ServerSettings::default()
        })
    }

    /// Open to all, and answering players also when its store cannot be used.
    pub(crate) fn fails_open() -> Self {
        Self::made(ServerSettings::default(), |engine, clock| {
            engine.fail_open(clock)
        })
    }

    /// With these settings of the dialects.
    pub(crate) fn with_dialects(compat: CompatSettings) -> Self {
        Self::with(ServerSettings {
            compat,
            ..ServerSettings::default()
        })
    }

    /// With this dialect at the root as well.
    pub(crate) fn at_root(dialect: DialectName) -> Self {
        Self::with_dialects(CompatSettings {
            root: Some(dialect),
            ..CompatSettings::default()
        })
    }

    /// Takes one call a second about each user.
    pub(crate) fn once_a_second() -> Self {
        Self::with(ServerSettings {
            rate_limit: RateLimitSettings {
                per_user_per_s: NonZeroU32::new(1),
                ..RateLimitSettings::default()
            },
            ..ServerSettings::default()
        })
    }

    pub(crate) fn with(settings: ServerSettings) -> Self {
        Self::made(settings, |engine, _| engine)
    }

    fn made(
        settings: ServerSettings,
        finish: impl FnOnce(Engine, Arc<ManualClock>) -> Engine,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(BEGIN_MS)));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        let metrics = Arc::new(Metrics::new(Arc::clone(&clock) as _));
        let observed = Observed::new(&settings, metrics);
        let engine = Engine::new(
            Arc::clone(&store) as _,
            Arc::new(policy()),
            Arc::new(OneId),
            Arc::new(observed.observers()),
            EngineSettings::default(),
        );
        let engine = finish(engine, Arc::clone(&clock));
        Self {
            endpoints: app(Arc::new(engine), settings, observed.clone()),
            activity: observed.activity,
            clock,
            store,
            metrics: observed.metrics,
            hub: observed.hub,
        }
    }

    /// Accepts these keys from here on.
    pub(crate) fn set_keys(&self, keys: Keys) {
        self.endpoints.set_keys(keys);
    }

    /// Every later call to the store fails.
    pub(crate) async fn break_store(&self) {
        self.store.close().await.unwrap();
    }

    /// Lets the store have no room, or have some again.
    pub(crate) fn fill_store(&self, full: bool) {
        self.store.set_full(full);
    }

    /// Makes the record of a user unreadable.
    pub(crate) async fn damage(&self, user: &str) {
        self.put_record(user, &[0xff; 8]).await;
    }

    /// Runs a command as another node would, of which this one is not told.
    pub(crate) async fn elsewhere<C: Command + Sync>(&self, user: &str, command: &C) {
        let mut step = |view: View<'_>| {
            let ledger = view.record.map_or_else(Ledger::default, |record| {
                decode_ledger(record).expect("a record")
            });
            let policy = policy();
            Change::of(&decide(ledger, &policy, command, view.now), &policy)
        };
        self.store
            .transact(&user_key(user), &mut step)
            .await
            .unwrap();
    }

    /// Makes these bytes the record of a user, as another node would.
    pub(crate) async fn put_record(&self, user: &str, record: &[u8]) {
        let user = user_key(user);
        let mut step = |_: View<'_>| {
            Some(Change {
                record: Some(record.to_vec()),
                delta: Vec::new(),
                durability: Durability::Durable,
                garbage_at: None,
                needs_room: true,
            })
        };
        self.store.transact(&user, &mut step).await.unwrap();
    }

    /// The bytes of the record of a user.
    pub(crate) async fn record(&self, user: &str) -> Vec<u8> {
        let user = UserKey::new(&TenantId::default_tenant(), &UserId::new(user).unwrap());
        let mut record = None;
        let mut step = |view: View<'_>| {
            record = view.record.map(<[u8]>::to_vec);
            None
        };
        self.store.transact(&user, &mut step).await.unwrap();
        record.unwrap()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The answer to a request, which the documents must know.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let call = Call::of(&request);
        let answer = Answer::of(self.endpoints.answer(request).await).await;
        call.assert_documents(&answer);
        answer
    }

    /// The same without the fast path.
    pub(crate) async fn send_to_router(&self, request: Request<Body>) -> Answer {
        let call = Call::of(&request);
        let answer = Answer::of(self.endpoints.answer_by_router(request).await).await;
        call.assert_documents(&answer);
        answer
    }

    /// A request without a body.
    pub(crate) async fn call(&self, method: &str, path: &str) -> Answer {
        self.send(request(method, path, Body::empty())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).await
    }

    /// A request with a JSON body.
    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.raw(method, path, "application/json", body.to_string())
            .await
    }

    /// A request with a body of any kind.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = request(method, path, body.into());
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        self.send(request).await
    }

    /// A request with a key.
    pub(crate) async fn call_as(&self, key: &str, method: &str, path: &str) -> Answer {
        let mut request = request(method, path, Body::empty());
        request
            .headers_mut()
            .insert("x-api-key", key.parse().unwrap());
        self.send(request).await
    }

    /// A request with a viewer token.
    pub(crate) async fn call_with(&self, token: &str, method: &str, path: &str) -> Answer {
        self.send(viewers::bearing(
            token,
            request(method, path, Body::empty()),
        ))
        .await
    }

    /// Starts sessions of user `u` with these ids, which must be admitted.
    pub(crate) async fn start(&self, ids: &[&str]) {
        for id in ids {
            let answer = self
                .call("PUT", &format!("/v1/users/u/sessions/{id}"))
                .await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    }

    /// Sets plan, limit or profile of a user.
    pub(crate) async fn set_user(&self, user: &str, change: &Value) {
        let answer = self.json("PUT", &format!("/v1/users/{user}"), change).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// How many slots a known user has taken.
    pub(crate) async fn active(&self, user: &str) -> u64 {
        let user = self.get(&format!("/v1/users/{user}")).await.json();
        user["active"].as_u64().unwrap_or_else(|| panic!("{user}"))
    }

    /// Asserts that no user is known.
    pub(crate) async fn assert_no_users(&self) {
        assert_eq!(self.get("/v1/users").await.json()["users"], json!([]));
    }

    /// The value of a metric; `line` is its name with its labels.
    pub(crate) async fn metric(&self, line: &str) -> String {
        let page = self.get("/metrics").await.text();
        page.lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '))
            .unwrap_or_else(|| panic!("no {line} in\n{page}"))
            .to_owned()
    }
}

pub(crate) fn keys() -> Keys {
    let key = |text: &str, scope, tenant: &str| ApiKey {
        name: format!("key of {text}").into(),
        sha256: parse_hash(&hash_key(text)).unwrap(),
        scope,
        tenant: TenantId::new(tenant).unwrap(),
    };
    Keys::new(vec![
        key("player", Scope::Player, "default"),
        key("service", Scope::Service, "default"),
        key("admin", Scope::Admin, "default"),
        key("other", Scope::Admin, "other"),
    ])
}

pub(crate) fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path)
        .body(body)
        .unwrap()
}

impl Answer {
    pub(crate) async fn of(response: Response<Body>) -> Self {
        let (parts, mut body) = response.into_parts();
        // An event stream does not end: its first message is enough.
        let is_stream = parts
            .headers
            .get("content-type")
            .is_some_and(|it| it == "text/event-stream");
        let body = if is_stream {
            let first = body
                .frame()
                .await
                .map(|frame| frame.unwrap().into_data().unwrap());
            first.unwrap_or_default()
        } else {
            body.collect().await.unwrap().to_bytes()
        };
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts a JSON answer: exactly these members.
    #[track_caller]
    pub(crate) fn assert_json(&self, status: u16, expected: &Value) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.json(), *expected);
    }

    /// Asserts an answer to the byte.
    #[track_caller]
    pub(crate) fn assert_text(&self, status: u16, content_type: &str, text: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some(content_type));
        assert_eq!(self.text(), text);
    }

    /// Asserts an answer without a body.
    #[track_caller]
    pub(crate) fn assert_empty(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.text(), "");
    }

    /// Asserts a problem, and returns it.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code);
        assert_eq!(problem["type"], format!("/docs/problems#{code}"));
        for member in ["title", "detail"] {
            let text = problem[member].as_str().unwrap();
            assert!(!text.is_empty(), "{problem}");
        }
        assert!(self.headers.contains_key("x-request-id"));
        problem
    }

    /// Asserts a 400 that names these fields, in this order.
    #[track_caller]
    pub(crate) fn assert_invalid(&self, fields: &[&str]) -> Value {
        let problem = self.assert_problem(400, "invalid_request");
        let named: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(named, fields, "{problem}");
        problem
    }

    /// Asserts that the store was unavailable, and that the caller is told when to try again.
    #[track_caller]
    pub(crate) fn assert_store_unavailable(&self) {
        self.assert_problem(503, "store_unavailable");
        assert_eq!(self.header("retry-after"), Some("1"));
    }
}

/// A session of user `u` without metadata, as it is answered right after its start.
pub(crate) fn fresh(id: &str) -> Value {
    json!({
        "session_id": id,
        "user_id": "u",
        "started_at": BEGIN,
        "last_seen_at": BEGIN,
        "expires_at": ONE_LEASE_LATER,
    })
}
