//! Notices between two nodes. A store that has them calls this case with both, so it is not part of
//! [`conformance_suite!`](crate::conformance_suite).

use std::sync::Arc;
use std::time::Duration;

use streamgate_core::admission::{Heartbeat, Start, Stop};
use streamgate_core::codec::decode_notice;
use streamgate_core::{EndReason, Event, SessionId, TenantId, UserKey};

use crate::conformance::steps::{run, user};
use crate::{Notice, Notices, Scope, Store};

/// How long a notice may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two tries of what is best effort.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The contract of [`Notices`]: `ours` reads them, `other` is another node over the same store.
pub async fn other_nodes_are_told_what_was_committed(ours: Arc<dyn Store>, other: Arc<dyn Store>) {
    let notices = ours.notices().expect("the store has notices");
    let key = user("watched");
    notices.watch(&key);
    assert_eq!(next(&*notices).await, Notice::UserSince(key.clone()));
    changes_of_others_come_once_and_in_order(&*notices, &*ours, &*other, &key).await;
    notices.unwatch(&key);
    notices.watch(&key);
    assert_eq!(next(&*notices).await, Notice::UserSince(key.clone()));
    messages_come_where_somebody_listens(&*notices, &*other, &key).await;
    notices.unwatch(&key);
    changes_of_a_tenant_come(&*notices, &*other).await;
    nodes_know_each_other(&*notices, &*other).await;
    assert!(notices.is_up());
}

/// Whoever introduces itself first is heard of by the one that comes later.
async fn nodes_know_each_other(ours: &dyn Notices, other: &dyn Store) {
    let other = other.notices().expect("the store has notices");
    other.introduce(b"the other".to_vec());
    ours.introduce(b"ours".to_vec());
    for (node, about) in [(ours, &b"the other"[..]), (&*other, b"ours")] {
        let heard = tokio::time::timeout(PATIENCE, async {
            loop {
                let peers = node.peers();
                if let Some(peer) = peers.into_iter().find(|peer| peer.about == about) {
                    return peer;
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        let heard = heard.await.expect("it is heard of");
        assert!(heard.ago < PATIENCE, "{heard:?}");
    }
}

async fn changes_of_others_come_once_and_in_order(
    notices: &dyn Notices,
    ours: &dyn Store,
    other: &dyn Store,
    key: &UserKey,
) {
    for round in 0..50 {
        let id = session(&format!("s{round}"));
        begin(other, key, &id).await;
        // Neither a renewed lease nor a change of this node is told.
        let renewed = run(other, key, &Heartbeat { id: id.clone() }).await;
        renewed.expect("a heartbeat");
        let own = session(&format!("own{round}"));
        begin(ours, key, &own).await;
        stop(ours, key, &own).await;
        stop(other, key, &id).await;
        let started = committed(next(notices).await, key);
        assert!(
            matches!(&started[..], [Event::Started(session)] if session.id == id),
            "round {round}: {started:?}"
        );
        let ended = committed(next(notices).await, key);
        assert!(
            matches!(&ended[..], [Event::Ended(end)] if end.id == id
                && end.session.as_ref().is_some_and(|session| session.id == id)),
            "round {round}: {ended:?}"
        );
    }
}

async fn messages_come_where_somebody_listens(
    notices: &dyn Notices,
    other: &dyn Store,
    key: &UserKey,
) {
    let teller = other.notices().expect("the store has notices");
    let told = tokio::time::timeout(PATIENCE, async {
        loop {
            teller.tell(key, &|| b"a message".to_vec());
            if let Ok(notice) = tokio::time::timeout(AGAIN_AFTER, notices.next()).await {
                return notice;
            }
        }
    });
    let expected = Notice::Told {
        scope: Scope::User,
        key: key.clone(),
        message: b"a message".to_vec(),
    };
    assert_eq!(told.await.expect("it is told"), expected);
}

/// Begins with the first change that the other node publishes for the tenant.
async fn changes_of_a_tenant_come(notices: &dyn Notices, other: &dyn Store) {
    let tenant = TenantId::default_tenant();
    notices.watch_tenant(&tenant);
    let mut since = false;
    let told = tokio::time::timeout(PATIENCE, async {
        for round in 0.. {
            let key = user(&format!("of the tenant {round}"));
            begin(other, &key, &session("s")).await;
            while let Ok(notice) = tokio::time::timeout(AGAIN_AFTER, notices.next()).await {
                match notice {
                    // The last tries of the case before.
                    Notice::Told { .. } => {}
                    Notice::TenantSince { tenant: of, again } => {
                        assert_eq!((of, again), (tenant.clone(), false));
                        since = true;
                    }
                    notice => return notice,
                }
            }
        }
        unreachable!("the loop has no end")
    });
    let notice = told.await.expect("it is told");
    assert!(since, "it is told from when on");
    let Notice::Committed {
        scope: Scope::Tenant,
        key,
        change,
    } = notice
    else {
        panic!("a commit, not: {notice:?}");
    };
    assert!(key.user().starts_with("of the tenant"), "{key:?}");
    let events = decode_notice(&change).expect("it can be read");
    assert!(matches!(&events[..], [Event::Started(_)]), "{events:?}");
    notices.unwatch_tenant(&tenant);
}

/// The events of a notice about this user.
fn committed(notice: Notice, of: &UserKey) -> Vec<Event> {
    match notice {
        Notice::Committed {
            scope: Scope::User,
            key,
            change,
        } if key == *of => decode_notice(&change).expect("it can be read"),
        other => panic!("a commit, not: {other:?}"),
    }
}

async fn next(notices: &dyn Notices) -> Notice {
    let next = tokio::time::timeout(PATIENCE, notices.next()).await;
    next.expect("a notice")
}

async fn begin(store: &dyn Store, key: &UserKey, id: &SessionId) {
    let started = run(store, key, &Start::new(id.clone())).await;
    started.expect("a start");
}

async fn stop(store: &dyn Store, key: &UserKey, id: &SessionId) {
    let stop = Stop {
        id: id.clone(),
        reason: EndReason::Stopped,
    };
    let stopped = run(store, key, &stop).await;
    stopped.expect("a stop");
}

fn session(id: &str) -> SessionId {
    SessionId::new(id).expect("it is valid")
}
