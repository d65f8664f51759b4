//! The optimistic adapter, over a server that is a map: alone, and as two nodes that share it.

mod server;

use std::sync::Arc;

use server::{Lost, Map, Node, Speculates};
use streamgate_clock::{Clock as _, SystemClock};
use streamgate_core::admission::{Start, StartOutcome, Stop};
use streamgate_core::codec::{NEWEST, OLDEST};
use streamgate_core::{Durability, EndReason, SessionId, TenantId, UserId, UserKey};
use streamgate_store::conformance::{a_newer_format_is_refused, run};
use streamgate_store::versioned::{NotUsable, Optimistic, Started, Version};
use streamgate_store::{Change, StepFn, Store, StoreError, Transaction, View};

mod speculating_never {
    use super::*;

    async fn open() -> Arc<dyn Store> {
        Arc::new(Optimistic::new(Node::over(
            &Arc::default(),
            Speculates::Never,
        )))
    }

    streamgate_store::conformance_suite!(open);
}

mod speculating_if_sole_writer {
    use super::*;

    async fn open() -> Arc<dyn Store> {
        Arc::new(Optimistic::new(Node::over(
            &Arc::default(),
            Speculates::IfSoleWriter,
        )))
    }

    streamgate_store::conformance_suite!(open);
}

mod speculating_always {
    use super::*;

    async fn open() -> Arc<dyn Store> {
        Arc::new(Optimistic::new(Node::over(
            &Arc::default(),
            Speculates::Always,
        )))
    }

    streamgate_store::conformance_suite!(open);
}

mod speculating_by_a_wrong_clock {
    use super::*;

    async fn open() -> Arc<dyn Store> {
        Arc::new(Optimistic::new(Node::over(
            &Arc::default(),
            Speculates::ByAWrongClock,
        )))
    }

    streamgate_store::conformance_suite!(open);
}

fn user() -> UserKey {
    UserKey::new(&TenantId::default_tenant(), &UserId::new("u").unwrap())
}

fn start(session: &str) -> Start {
    Start::new(SessionId::new(session).unwrap())
}

/// Changes the record.
async fn change(node: &Optimistic<Node>) {
    try_to_change(node).await.unwrap();
}

fn change_to(record: Vec<u8>) -> Change {
    Change {
        record: Some(record),
        delta: Vec::new(),
        durability: Durability::Durable,
        garbage_at: None,
        needs_room: true,
    }
}

async fn try_to_change(node: &Optimistic<Node>) -> Result<(), StoreError> {
    let mut step = |view: View<'_>| {
        let mut record = view.record.unwrap_or_default().to_vec();
        record.push(1);
        Some(change_to(record))
    };
    node.transact(&user(), &mut step).await
}

/// The length of the record, as a read sees it.
async fn length(node: &Optimistic<Node>) -> usize {
    let mut length = 0;
    let mut step = |view: View<'_>| {
        length = view.record.unwrap_or_default().len();
        None
    };
    node.transact(&user(), &mut step).await.unwrap();
    length
}

/// A step that accepts any cached record.
#[derive(Default)]
struct AcceptsCached {
    length: Option<usize>,
}

impl StepFn for AcceptsCached {
    fn run(&mut self, _view: View<'_>) -> Option<Change> {
        None
    }

    fn accepts_cached(&self) -> bool {
        true
    }

    fn answer_from_cache(&mut self, cached: View<'_>) -> bool {
        self.length = cached.record.map(<[u8]>::len);
        true
    }
}

/// The length of the cached record, if there is one.
fn cached_length(node: &Optimistic<Node>) -> Option<usize> {
    let mut step = AcceptsCached::default();
    let is_done = matches!(node.transact(&user(), &mut step), Transaction::Done(Ok(())));
    assert_eq!(is_done, step.length.is_some());
    step.length
}

#[tokio::test]
async fn a_sole_writer_commits_without_a_load_and_reads_with_one() {
    let map = Arc::<Map>::default();
    let node = Optimistic::new(Node::over(&map, Speculates::IfSoleWriter));
    change(&node).await;
    assert_eq!(
        node.remote().calls(),
        (1, 1),
        "there was nothing to remember"
    );
    change(&node).await;
    change(&node).await;
    assert_eq!(node.remote().calls(), (0, 2));
    assert_eq!(length(&node).await, 3);
    assert_eq!(
        node.remote().calls(),
        (1, 0),
        "a read is never answered from memory"
    );
    assert_eq!(cached_length(&node), Some(3));
    assert_eq!(node.remote().calls(), (0, 0));
}

#[tokio::test]
async fn a_write_of_another_node_is_a_conflict_and_the_next_commit_loads() {
    let map = Arc::<Map>::default();
    let [node, other] = [0; 2].map(|_| Optimistic::new(Node::over(&map, Speculates::IfSoleWriter)));
    change(&node).await;
    change(&node).await;
    change(&other).await;
    node.remote().calls();
    change(&node).await;
    assert_eq!(
        node.remote().calls(),
        (0, 2),
        "one in vain, which brought what is there"
    );
    assert_eq!(length(&other).await, 4, "nothing was lost");
    assert_eq!(
        cached_length(&other),
        Some(3),
        "as it was when that node wrote it"
    );
    node.remote().calls();
    change(&node).await;
    assert_eq!(node.remote().calls(), (1, 1), "it is not alone any more");
    change(&node).await;
    assert_eq!(node.remote().calls(), (0, 1), "and now it is");
}

#[tokio::test]
async fn a_node_that_never_speculates_loads_for_every_step_and_caches_nothing() {
    let node = Optimistic::new(Node::over(&Arc::default(), Speculates::Never));
    for _ in 0..3 {
        change(&node).await;
    }
    assert_eq!(node.remote().calls(), (3, 3));
    assert_eq!(cached_length(&node), None);
}

#[tokio::test]
async fn a_first_commit_that_always_speculates_is_one_call() {
    let map = Arc::<Map>::default();
    let [node, other] = [0; 2].map(|_| Optimistic::new(Node::over(&map, Speculates::Always)));
    change(&node).await;
    change(&node).await;
    assert_eq!(node.remote().calls(), (0, 2));
    change(&other).await;
    assert_eq!(
        other.remote().calls(),
        (0, 2),
        "the first brought what was there"
    );
    change(&node).await;
    assert_eq!(node.remote().calls(), (0, 2));
    assert_eq!(length(&other).await, 4, "nothing was lost");
}

#[tokio::test]
async fn a_speculative_commit_by_a_wrong_clock_is_decided_again_by_the_servers_clock() {
    let node = Optimistic::new(Node::over(&Arc::default(), Speculates::ByAWrongClock));
    let ran = run(&node, &user(), &start("a")).await.unwrap();
    assert_eq!(node.remote().calls(), (0, 2));
    let StartOutcome::Admitted(admitted) = ran.outcome else {
        panic!("a slot is free");
    };
    let ahead_ms = admitted
        .session
        .started_at
        .millis_since(SystemClock::new().now().time);
    assert!(ahead_ms < 60_000, "{ahead_ms}");
}

#[tokio::test]
async fn a_change_is_committed_once_when_its_request_or_answer_is_lost() {
    for speculates in [
        Speculates::Never,
        Speculates::IfSoleWriter,
        Speculates::Always,
    ] {
        let map = Arc::<Map>::default();
        let node = Optimistic::new(Node::over(&map, speculates));
        for (i, lost) in [Lost::Answer, Lost::Request, Lost::Late]
            .into_iter()
            .enumerate()
        {
            node.remote().calls();
            node.remote().lose(&[lost]);
            change(&node).await;
            assert_eq!(node.remote().calls().1, 2, "the same was sent twice");
            assert_eq!(length(&node).await, i + 1, "{speculates:?}, {lost:?}");
        }
        node.remote().let_arrive(&user());
        assert_eq!(length(&node).await, 3, "it was done already");
        change(&node).await;
        assert_eq!(length(&node).await, 4);
    }
}

/// A late commit arrives after another write.
#[tokio::test]
async fn a_commit_that_arrives_late_has_no_effect() {
    let map = Arc::<Map>::default();
    let [node, other] = [0; 2].map(|_| Optimistic::new(Node::over(&map, Speculates::Always)));
    change(&node).await;
    node.remote().lose(&[Lost::Late]);
    change(&node).await;
    change(&other).await;
    node.remote().let_arrive(&user());
    assert_eq!(length(&node).await, 3);
}

/// Only the record can then tell whether the commit was made, so the next step must load it.
#[tokio::test]
async fn a_lost_commit_that_was_overtaken_is_an_unknown_outcome_and_the_next_step_loads() {
    let map = Arc::<Map>::default();
    let [node, other] = [0; 2].map(|_| Optimistic::new(Node::over(&map, Speculates::Always)));
    change(&node).await;
    for lost in [Lost::Answer, Lost::Request] {
        // The node's cached record is stale, so the speculative commit fails.
        change(&other).await;
        let before = length(&other).await;
        node.remote().lose(&[lost]);
        node.remote().calls();
        let told = try_to_change(&node).await;
        assert!(
            matches!(told, Err(StoreError::OutcomeUnknown(_))),
            "{told:?}"
        );
        assert_eq!(node.remote().calls(), (0, 2));
        change(&node).await;
        assert_eq!(node.remote().calls(), (1, 1));
        assert_eq!(length(&other).await, before + 1);
    }
}

#[tokio::test]
async fn a_commit_whose_retry_fails_too_is_an_unknown_outcome() {
    let node = Optimistic::new(Node::over(&Arc::default(), Speculates::Always));
    node.remote().lose(&[Lost::Answer, Lost::Request]);
    let told = try_to_change(&node).await;
    assert!(
        matches!(told, Err(StoreError::OutcomeUnknown(_))),
        "{told:?}"
    );
    assert_eq!(length(&node).await, 1);
}

#[tokio::test]
async fn a_speculative_refusal_is_decided_again_on_a_fresh_read() {
    for speculates in [Speculates::IfSoleWriter, Speculates::Always] {
        refuses_by_what_is_there(speculates).await;
    }
}

async fn refuses_by_what_is_there(speculates: Speculates) {
    let map = Arc::<Map>::default();
    let [node, other] = [0; 2].map(|_| Optimistic::new(Node::over(&map, speculates)));
    for session in ["a", "b", "c"] {
        run(&node, &user(), &start(session)).await.unwrap();
    }
    let id = SessionId::new("a").unwrap();
    let reason = EndReason::Stopped;
    run(&other, &user(), &Stop { id, reason }).await.unwrap();
    // By the node's cached record, every slot is taken.
    let ran = run(&node, &user(), &start("d")).await.unwrap();
    assert!(matches!(ran.outcome, StartOutcome::Admitted(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_share_a_server_admit_exactly_the_limit() {
    let map = Arc::<Map>::default();
    let nodes = [
        Speculates::Never,
        Speculates::IfSoleWriter,
        Speculates::Always,
        Speculates::ByAWrongClock,
    ]
    .map(|speculates| Arc::new(Optimistic::new(Node::over(&map, speculates))));
    let mut starts = Vec::new();
    for i in 0..200 {
        let node = Arc::clone(&nodes[i % 4]);
        starts.push(tokio::spawn(async move {
            let start = start(&format!("s{i}"));
            let ran = run(&*node, &user(), &start).await.unwrap();
            matches!(ran.outcome, StartOutcome::Admitted(_))
        }));
    }
    let mut admitted = 0;
    for start in starts {
        admitted += u32::from(start.await.unwrap());
    }
    assert_eq!(admitted, 3);
}

#[test]
fn versions_differ_and_are_never_none() {
    let versions: Vec<Version> = (0..1_000).map(|_| Version::fresh()).collect();
    for (i, version) in versions.iter().enumerate() {
        assert_ne!(*version, Version::NONE);
        assert!(!versions[i + 1..].contains(version));
        assert_eq!(Version::from_bytes(version.as_bytes()), Some(*version));
    }
    for bytes in [&[][..], &[0; 8], &[1; 7], &[1; 9]] {
        assert_eq!(Version::from_bytes(bytes), None);
    }
}

#[tokio::test]
async fn a_store_with_a_newer_format_mark_is_refused_until_the_mark_is_readable() {
    let map = Arc::<Map>::default();
    let node = Optimistic::new(Node::over(&map, Speculates::Always));
    let newest = u32::from(NEWEST);
    map.mark(Some(newest));
    node.check_ready().await.unwrap();
    change(&node).await;
    map.mark(Some(newest + 1));
    let unready = node.check_ready().await.unwrap_err();
    let StoreError::Refused(refusal) = &unready else {
        panic!("{unready}");
    };
    assert!(
        refusal.why.contains(&format!("(format {})", newest + 1)),
        "{refusal}"
    );
    assert!(
        refusal.why.contains(&format!("up to {newest}")),
        "{refusal}"
    );
    node.remote().calls();
    assert_eq!(try_to_change(&node).await, Err(unready));
    assert_eq!(
        cached_length(&node),
        None,
        "nothing is answered from memory"
    );
    assert_eq!(node.remote().calls(), (0, 0), "nothing is sent");
    map.mark(None);
    node.check_ready().await.unwrap();
    change(&node).await;
    assert_eq!(length(&node).await, 2);
}

/// Writes a record of this version.
async fn write(node: &Optimistic<Node>, version: u8) -> Result<(), StoreError> {
    let mut step = |_: View<'_>| Some(change_to(vec![version, 0]));
    node.transact(&user(), &mut step).await
}

#[tokio::test]
async fn the_format_mark_is_raised_where_it_is_lower_and_again_where_it_was_lost() {
    let map = Arc::<Map>::default();
    let [plain, raising] = [OLDEST, NEWEST].map(|format| {
        Optimistic::new(Node::over(&map, Speculates::Always)).raising_format_to(format)
    });
    plain.check_ready().await.unwrap();
    assert_eq!((map.marked(), plain.format()), (None, OLDEST));
    for _lost in 0..2 {
        raising.check_ready().await.unwrap();
        assert_eq!(raising.format(), NEWEST);
        assert_eq!(raising.raise_format().await, Ok(true));
        assert_eq!(map.marked(), Some(NEWEST.into()));
        assert_eq!(raising.raise_format().await, Ok(false));
        plain.check_ready().await.unwrap();
        assert_eq!(plain.format(), NEWEST, "one node raises it for all");
        assert_eq!(plain.raise_format().await, Ok(false));
        assert_eq!(map.marked(), Some(NEWEST.into()), "none lowers it");
        map.mark(None);
    }
    map.mark(Some(u32::from(NEWEST) + 1));
    raising.check_ready().await.unwrap_err();
    assert_eq!(map.marked(), Some(u32::from(NEWEST) + 1));
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_written_only_where_the_mark_allows_it() {
    let map = Arc::<Map>::default();
    let [plain, raising] = [OLDEST, NEWEST].map(|format| {
        Optimistic::new(Node::over(&map, Speculates::Never)).raising_format_to(format)
    });
    // Neither has read the mark yet.
    assert_eq!(
        write(&plain, NEWEST).await,
        Err(StoreError::NeedsFormat(NEWEST))
    );
    assert_eq!(write(&plain, OLDEST).await, Ok(()));
    map.refuse_mark(true);
    let refused = write(&raising, NEWEST).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(write(&raising, OLDEST).await, Ok(()), "others go on");
    assert_eq!(raising.check_ready().await, Ok(()));
    map.refuse_mark(false);
    assert_eq!(write(&raising, NEWEST).await, Ok(()));
    assert_eq!(map.marked(), Some(NEWEST.into()));
    // A node that has not heard of it renews such a record, and makes no other.
    assert_eq!(write(&plain, NEWEST).await, Ok(()));
    assert_eq!(write(&plain, OLDEST).await, Ok(()));
    assert_eq!(
        write(&plain, NEWEST).await,
        Err(StoreError::NeedsFormat(NEWEST))
    );
    plain.look_at_format().await.unwrap().unwrap();
    assert_eq!(write(&plain, NEWEST).await, Ok(()));
}

fn newer_map() -> Arc<Map> {
    let map = Arc::<Map>::default();
    map.mark(Some(u32::from(NEWEST) + 1));
    map
}

#[tokio::test]
async fn a_store_over_a_newer_format_refuses_whether_it_is_started_or_only_opened() {
    let node = || Node::over(&newer_map(), Speculates::Always);
    let opened: Arc<dyn Store> = Arc::new(Optimistic::new(node()));
    a_newer_format_is_refused::<NotUsable>(Ok(opened)).await;
    let started = Optimistic::start(node(), OLDEST).await;
    a_newer_format_is_refused(started.map(|it| it.store as Arc<dyn Store>)).await;
}

#[tokio::test]
async fn the_first_call_reads_a_format_mark_that_could_not_be_read_at_the_start() {
    let map = newer_map();
    map.hide_mark(true);
    let started = Optimistic::start(Node::over(&map, Speculates::Always), OLDEST).await;
    let store = started.unwrap().store;
    let unavailable = write(&store, OLDEST).await;
    assert!(
        matches!(unavailable, Err(StoreError::Unavailable(_))),
        "{unavailable:?}"
    );
    let mut nothing = |_: View<'_>| None;
    let swept = store.sweep(None, 1, &mut nothing).await;
    assert!(swept.is_ok(), "a sweep asks no server: {swept:?}");
    map.hide_mark(false);
    let refused = write(&store, OLDEST).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(store.remote().calls(), (0, 0), "no record is touched");
    map.mark(None);
    store.check_ready().await.unwrap();
    assert_eq!(write(&store, OLDEST).await, Ok(()));
}

#[tokio::test]
async fn a_remote_store_starts_while_its_server_is_unavailable_but_not_if_it_refuses() {
    let start = async |proof| {
        let node = Node::over(&Arc::default(), Speculates::Always);
        node.prove_with(proof);
        Optimistic::start(node, OLDEST).await
    };
    let Started { store, unavailable } = start(Ok(())).await.unwrap();
    assert_eq!(unavailable, None);
    change(&store).await;
    let started = start(Err(NotUsable::Unavailable("no route".to_owned()))).await;
    assert_eq!(started.unwrap().unavailable.as_deref(), Some("no route"));
    let refusal = NotUsable::Refused("no permission".to_owned());
    assert_eq!(start(Err(refusal.clone())).await.unwrap_err(), refusal);
}
