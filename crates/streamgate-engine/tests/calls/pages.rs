//! Paging over users and sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{
    START_OF_TIME, World, calls_until_seen, faults, start, stop, user, world, world_over,
    world_with_record,
};
use streamgate_clock::ManualClock;
use streamgate_core::admission::{Edit, ImportUser, SetUser, user_and_sessions_of, user_of};
use streamgate_core::codec::NEWEST;
use streamgate_core::{Attributes, Policy, Seconds, SessionId, TenantId, UserKey};
use streamgate_engine::{EngineError, PageCursor};
use streamgate_store::decorator::{Intercept, Intercepted};
use streamgate_store::faults::Fault;
use streamgate_store::{BoxFuture, Cursor, MemoryStore, Page, Store, StoreError};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

async fn with_users(limits: &[u32]) -> World {
    let world = world(faults([]));
    for (i, sessions) in limits.iter().enumerate() {
        let user = user(&format!("u{i}"));
        let set = SetUser {
            limit: Edit::Set(100),
            ..SetUser::default()
        };
        world.engine.run(&user, &set).await.unwrap();
        for j in 0..*sessions {
            world
                .engine
                .start(&user, &start(&format!("s{j}")))
                .await
                .unwrap();
        }
    }
    world
}

/// All sessions, read in pages of this size, with the cursor through its bytes each time.
async fn all_sessions(world: &World, page_size: usize) -> Vec<(UserKey, String)> {
    let tenant = TenantId::default_tenant();
    let mut all = Vec::new();
    let mut cursor: Option<PageCursor> = None;
    loop {
        let page = world
            .engine
            .all_sessions(&tenant, cursor.as_ref(), page_size)
            .await
            .unwrap();
        assert!(
            page.sessions.len() <= page_size,
            "{} of {page_size}",
            page.sessions.len()
        );
        all.extend(
            page.sessions
                .into_iter()
                .map(|(user, s)| (user, s.id.to_string())),
        );
        match page.next {
            Some(next) => cursor = Some(PageCursor::from_bytes(&next.to_bytes()).unwrap()),
            None => return all,
        }
    }
}

#[tokio::test]
async fn every_session_comes_once_and_no_page_is_too_long() {
    let world = with_users(&[0, 3, 1, 0, 40, 2, 5, 0, 1]).await;
    for page_size in [1, 2, 3, 5, 7, 41, 52, 53, 1_000] {
        let all = all_sessions(&world, page_size).await;
        assert_eq!(all.len(), 52, "page size {page_size}");
        assert_eq!(
            all.iter().collect::<BTreeSet<_>>().len(),
            52,
            "page size {page_size}"
        );
    }
}

#[tokio::test]
async fn a_page_after_one_that_ended_within_a_user_goes_on_when_that_session_has_ended() {
    let world = with_users(&[9]).await;
    let tenant = TenantId::default_tenant();
    let first = world.engine.all_sessions(&tenant, None, 4).await.unwrap();
    assert_eq!(first.sessions.len(), 4);
    for (_, session) in &first.sessions {
        world
            .engine
            .stop(&user("u0"), &stop(&session.id.to_string()))
            .await
            .unwrap();
    }
    let rest = world
        .engine
        .all_sessions(&tenant, first.next.as_ref(), 100)
        .await
        .unwrap();
    assert_eq!(rest.sessions.len(), 5);
    assert_eq!(rest.next, None);
}

#[tokio::test]
async fn users_are_listed_once_and_unknown_users_with_revoked_sessions_are_not() {
    let world = with_users(&[0, 1, 2, 3, 0]).await;
    world.engine.erase_user(&user("u2")).await.unwrap();
    let tenant = TenantId::default_tenant();
    for page_size in [1, 2, 4, 100] {
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = world
                .engine
                .users(&tenant, cursor.as_ref(), page_size, user_of)
                .await
                .unwrap();
            assert!(page.users.len() <= page_size);
            names.extend(page.users.iter().map(|(user, _)| user.user().to_owned()));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        names.sort();
        assert_eq!(names, ["u0", "u1", "u3", "u4"], "page size {page_size}");
    }
    let view = world.engine.user(&user("u2"), user_of).await.unwrap();
    assert_eq!(view, None);
}

/// A page of crowded users would take seconds, and other lists wait for their turn.
#[tokio::test]
async fn a_page_of_users_ends_at_a_bound_in_bytes() {
    let world = world(faults([]));
    let import = ImportUser {
        // Records of more than 128 KB.
        sessions: (0..1_000)
            .map(|number| SessionId::new(&format!("{number:x>128}")).unwrap())
            .collect(),
        lease: Seconds(90),
        profile: Attributes::default(),
    };
    let set = SetUser {
        limit: Edit::Set(1_000),
        ..SetUser::default()
    };
    for i in 0..60 {
        let user = user(&format!("u{i}"));
        world.engine.run(&user, &set).await.unwrap();
        world.engine.run(&user, &import).await.unwrap();
    }
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = world
            .engine
            .users(&TenantId::default_tenant(), cursor.as_ref(), 1_000, user_of)
            .await
            .unwrap();
        let users = page.users.len();
        assert!(users <= 33, "{users} users on a page are more than 4 MiB");
        assert!(users >= 10 || page.next.is_none(), "{users} users");
        for (user, view) in page.users {
            assert_eq!(view.active, 1_000);
            assert!(seen.insert(user.user().to_owned()), "it comes once");
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 60);
}

#[tokio::test]
async fn users_with_their_sessions_are_the_same_users() {
    let world = with_users(&[0, 3, 1, 40, 2]).await;
    world.engine.erase_user(&user("u2")).await.unwrap();
    let tenant = TenantId::default_tenant();
    for page_size in [1, 2, 100] {
        let mut counts = BTreeMap::new();
        let (mut cursor, mut other) = (None, None);
        loop {
            let page = world
                .engine
                .users(&tenant, cursor.as_ref(), page_size, user_and_sessions_of)
                .await
                .unwrap();
            let without = world
                .engine
                .users(&tenant, other.as_ref(), page_size, user_of)
                .await
                .unwrap();
            for ((key, (view, sessions)), (other_key, other_view)) in
                page.users.iter().zip(&without.users)
            {
                assert_eq!((key, view), (other_key, other_view));
                let alone = world.engine.user(key, user_and_sessions_of).await.unwrap();
                assert_eq!(alone, Some((view.clone(), sessions.clone())));
                assert_eq!(view.active as usize, sessions.len());
                let before = counts.insert(key.user().to_owned(), view.active);
                assert_eq!(before, None, "it comes once");
            }
            assert_eq!(page.users.len(), without.users.len());
            assert_eq!(page.next, without.next);
            (cursor, other) = (page.next, without.next);
            if cursor.is_none() {
                break;
            }
        }
        let expected = [("u0", 0), ("u1", 3), ("u3", 40), ("u4", 2)];
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(counts, BTreeMap::from(expected), "page size {page_size}");
    }
}

#[tokio::test]
async fn an_expired_session_is_on_no_page() {
    let world = with_users(&[2]).await;
    world.clock.advance(Duration::from_secs(90));
    let tenant = TenantId::default_tenant();
    let page = world
        .engine
        .users(&tenant, None, 10, user_and_sessions_of)
        .await
        .unwrap();
    let (_, (view, sessions)) = &page.users[0];
    assert_eq!((view.active, sessions.len()), (0, 0));
}

#[test]
fn bytes_that_are_no_cursor_are_refused() {
    let whole = PageCursor::default().to_bytes();
    assert_eq!(PageCursor::from_bytes(&whole), Ok(PageCursor::default()));
    for bytes in [&[][..], &[1], &[0, 0, 2], &[9, 0, 1], &[1, 0, 65, 3, 65]] {
        assert_eq!(
            PageCursor::from_bytes(bytes),
            Err(EngineError::BadCursor),
            "{bytes:?}"
        );
    }
}

/// An engine with 300 users, the number of calls that its store has had, and tasks that list all
/// users or all sessions over and over.
async fn with_lists(lists: usize) -> (World, Arc<AtomicUsize>, JoinSet<()>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let world = world(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Fault::None
    });
    for i in 0..300 {
        let user = user(&format!("u{i}"));
        world.engine.start(&user, &start("s")).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for list in 0..lists {
        let engine = Arc::clone(&world.engine);
        tasks.spawn(async move {
            let tenant = TenantId::default_tenant();
            let mut cursor: Option<PageCursor> = None;
            loop {
                let from = cursor.as_ref();
                cursor = if list.is_multiple_of(2) {
                    engine.users(&tenant, from, 10, user_of).await.unwrap().next
                } else {
                    engine.all_sessions(&tenant, from, 10).await.unwrap().next
                };
            }
        });
    }
    (world, calls, tasks)
}

/// On one thread, so that the pages between two turns of this task can be counted.
#[tokio::test]
async fn lists_yield_to_other_tasks_after_every_page() {
    let (_world, calls, _tasks) = with_lists(40).await;
    let begun = calls.load(Ordering::Relaxed);
    let (mut seen, mut most) = (begun, 0);
    while seen < begun + 1_000 {
        tokio::task::yield_now().await;
        let now = calls.load(Ordering::Relaxed);
        most = most.max(now - seen);
        seen = now;
    }
    assert!(most <= 8, "{most} pages between two turns");
}

/// A request comes by a socket, which a thread polls between tasks, but not after each task.
#[tokio::test]
async fn sockets_are_polled_after_a_few_pages_of_many_lists() {
    let (_world, calls, _tasks) = with_lists(200).await;
    let sockets = UnixStream::pair().unwrap();
    let mut most = 0;
    for _ in 0..50 {
        most = most.max(calls_until_seen(&sockets, &calls).await);
    }
    assert!(most <= 12, "{most} pages before a request was seen");
}

/// One page can have many records, too.
#[tokio::test]
async fn a_long_page_yields_to_other_tasks() {
    let world = with_users(&[1; 1000]).await;
    let turns = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let tenant = TenantId::default_tenant();
    let users = world
        .engine
        .users(&tenant, None, 1000, user_of)
        .await
        .unwrap();
    assert_eq!(users.users.len(), 1000);
    let after_users = turns.load(Ordering::Relaxed);
    let sessions = world
        .engine
        .all_sessions(&tenant, None, 1000)
        .await
        .unwrap();
    assert_eq!(sessions.sessions.len(), 1000);
    let after_both = turns.load(Ordering::Relaxed);
    other.abort();
    assert!(after_users >= 5, "{after_users} turns");
    assert!(after_both >= after_users + 5, "{after_both} turns");
}

#[tokio::test]
async fn lists_leave_out_a_damaged_record_and_count_it() {
    let world = world_with_record("broken", vec![99]).await;
    for name in ["u0", "u1"] {
        world.engine.start(&user(name), &start("s")).await.unwrap();
    }
    for page_size in [1, 2, 10] {
        let before = world.memo.damaged();
        let all = all_sessions(&world, page_size).await;
        let found: BTreeSet<&str> = all.iter().map(|(user, _)| user.user()).collect();
        assert_eq!((all.len(), found.len()), (2, 2), "page size {page_size}");
        assert!(world.memo.damaged() > before, "page size {page_size}");
    }
    let before = world.memo.damaged();
    let tenant = TenantId::default_tenant();
    let users = world.engine.users(&tenant, None, 10, user_of).await;
    let users = users.unwrap();
    assert_eq!((users.users.len(), users.next), (2, None));
    assert_eq!(world.memo.damaged(), before + 1);
}

#[tokio::test]
async fn a_record_of_a_newer_version_ends_a_list_and_is_not_counted_as_damaged() {
    let world = world_with_record("newer", vec![NEWEST + 1]).await;
    let tenant = TenantId::default_tenant();
    let users = world.engine.users(&tenant, None, 10, user_of).await;
    assert!(matches!(users, Err(EngineError::NewerRecord(_))));
    let sessions = world.engine.all_sessions(&tenant, None, 10).await;
    assert!(matches!(sessions, Err(EngineError::NewerRecord(_))));
    assert_eq!(world.memo.damaged(), 0);
}

/// A store that cannot tell whose record is damaged.
#[derive(Debug)]
struct DamagedPage(MemoryStore);

impl Intercept for DamagedPage {
    fn inner(&self) -> &dyn Store {
        &self.0
    }

    fn scan<'a>(
        &'a self,
        _tenant: &'a TenantId,
        _from: Option<&'a Cursor>,
        _page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async { Err(StoreError::Damaged("something else".to_owned())) })
    }
}

#[tokio::test]
async fn a_page_that_is_damaged_as_a_whole_is_an_error_and_counted() {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = Intercepted(DamagedPage(MemoryStore::new(clock.clone())));
    let world = world_over(Arc::new(store), clock, Policy::default());
    let tenant = TenantId::default_tenant();
    let sessions = world.engine.all_sessions(&tenant, None, 10).await;
    assert!(matches!(sessions, Err(EngineError::Damaged(_))));
    assert_eq!(world.memo.damaged(), 1);
}

/// A list waits for its turn at most as long as for the store.
#[tokio::test(start_paused = true)]
async fn lists_on_a_store_that_hangs_end_with_the_deadline() {
    let world = world(|| Fault::DelayRequest(Duration::from_secs(3600)));
    let mut lists = JoinSet::new();
    for _ in 0..50 {
        let engine = Arc::clone(&world.engine);
        lists.spawn(async move {
            engine
                .users(&TenantId::default_tenant(), None, 10, user_of)
                .await
        });
    }
    let all = async {
        while let Some(listed) = lists.join_next().await {
            let error = listed.unwrap().unwrap_err();
            assert!(
                matches!(error, EngineError::DeadlineExceeded(_)),
                "{error:?}"
            );
        }
    };
    // The deadline is 5 s, for the turn and for the page.
    tokio::time::timeout(Duration::from_secs(11), all)
        .await
        .unwrap();
}
