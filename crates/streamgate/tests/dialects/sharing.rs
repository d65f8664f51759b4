//! One user is one user in all dialects and in /v1: sessions, limits, plans and leases are shared.

use std::time::Duration;

use serde_json::{Value, json};
use streamgate_testkit::Client;

use crate::dialects::ask::Ask;
use crate::dialects::call::{Call, Way};
use crate::dialects::dialect::{Dialect, Verdict};
use crate::dialects::setup::Service;

/// The verdict on a start by which the user must be known to the dialect.
#[track_caller]
fn start(service: &Service, dialect: Dialect, user: &str, session: &str, limit: usize) -> Verdict {
    let answer = service.ask(&dialect.start(user, session));
    let verdict = dialect.verdict(&answer, user, session, limit);
    assert_ne!(verdict, Verdict::UnknownUser, "{dialect:?} {user}");
    verdict
}

#[test]
fn a_session_of_one_dialect_holds_a_slot_against_all_and_can_be_stopped_from_v1() {
    let service = Service::start(&[]);
    // An introduction begins again, so it must come before the sessions.
    service.introduce(Dialect::StreamRequests, "u");
    service.set_limit("u", 1);
    for holder in Dialect::ALL {
        assert!(
            start(&service, holder, "u", "mine", 1).is_held(),
            "{holder:?}"
        );
        for other in Dialect::ALL {
            // A session of the same name would be the same session.
            let verdict = start(&service, other, "u", "another", 1);
            assert!(!verdict.is_held(), "{holder:?} {other:?} {verdict:?}");
        }
        let refused = service.v1("PUT", "/users/u/sessions/another", None);
        assert_eq!(refused.status, 409, "{refused:?}");
        let live = service.live("u");
        assert_eq!(live.len(), 1, "{live:?}");
        assert!(live[0] == "mine" || !holder.names_sessions(), "{live:?}");
        let stopped = service.v1("DELETE", &format!("/users/u/sessions/{}", live[0]), None);
        assert_eq!(stopped.status, 204, "{stopped:?}");
    }
    assert_eq!(service.live("u"), [""; 0]);
}

#[test]
fn a_session_of_one_name_is_one_session_in_every_dialect() {
    let service = Service::start(&[]);
    service.introduce(Dialect::StreamRequests, "u");
    for dialect in Dialect::ALL {
        if dialect.names_sessions() {
            assert!(start(&service, dialect, "u", "tv", 3).is_held());
        }
    }
    let again = service.v1("PUT", "/users/u/sessions/tv", None);
    assert_eq!((again.status, &again.json()["active"]), (200, &json!(1)));
    assert_eq!(service.live("u"), ["tv"]);
}

/// The text of a refusal names the limit, wherever that comes from.
#[test]
fn a_limit_or_plan_set_in_v1_shows_in_each_dialect() {
    let service = Service::start(&["plans.duo.limit=2"]);
    let of_plan = json!({ "plan": "duo" });
    let of_user = json!({ "limit": 2 });
    let blocked = json!({ "limit": 0 });
    for dialect in Dialect::ALL {
        for (user, change, limit) in [
            ("default", None, 3),
            ("plan", Some(&of_plan), 2),
            ("own", Some(&of_user), 2),
            ("blocked", Some(&blocked), 0),
        ] {
            let user = format!("{user}-{}", dialect.name());
            service.introduce(dialect, &user);
            if let Some(change) = change {
                let set = service.v1("PUT", &format!("/users/{user}"), Some(change));
                assert_eq!(set.status, 200, "{set:?}");
            }
            for i in 0..limit {
                let verdict = start(&service, dialect, &user, &format!("s{i}"), limit);
                assert!(verdict.is_held(), "{user} {i}: {verdict:?}");
            }
            let verdict = start(&service, dialect, &user, "one-more", limit);
            assert!(!verdict.is_held(), "{user}: {verdict:?}");
        }
    }
}

/// A lowered limit ends nothing; it holds from the next start.
#[test]
fn a_limit_that_is_lowered_leaves_the_sessions_and_lets_no_more_in() {
    let service = Service::start(&[]);
    service.introduce(Dialect::StreamRequests, "u");
    for session in ["a", "b", "c"] {
        assert!(start(&service, Dialect::UserStreams, "u", session, 3).is_held());
    }
    service.set_limit("u", 1);
    let text = |dialect: Dialect, session| service.ask(&dialect.start("u", session)).text;
    let expected = [
        (
            Dialect::SessionTracker,
            r#"{"message":"Max sessions of 1 reached."}"#,
        ),
        (
            Dialect::ConcurrencyService,
            "User u is trying to watch 2 streams at once, which is too many.",
        ),
        (
            Dialect::StreamLog,
            r#"{"statusCode":403,"message":{"error":"Unable to start a new stream, maximum limit reached"}}"#,
        ),
        (
            Dialect::UserStreams,
            r#"{"userId":"u","noOfStreams":3,"sessionIds":["a","b","c"],"allow":false}"#,
        ),
        (
            Dialect::StreamRequests,
            "User - u has exceeded maximum concurrent streams allowed.",
        ),
    ];
    for (dialect, said) in expected {
        assert_eq!(text(dialect, "d"), said);
    }
    // Who is in stays in.
    let allowed = r#"{"userId":"u","noOfStreams":3,"sessionIds":["a","b","c"],"allow":true}"#;
    assert_eq!(text(Dialect::UserStreams, "b"), allowed);
    let counted = r#"{"user":"u","concurrentSessions":3}"#;
    assert_eq!(text(Dialect::ConcurrencyService, "c"), counted);
    assert_eq!(
        text(Dialect::StreamRequests, "a"),
        "User u is already watching a"
    );
}

/// Who may only start and stop must not be able to lift a limit by beginning again.
#[test]
fn a_limit_set_in_v1_outlives_a_user_that_begins_again() {
    let service = Service::start(&[]);
    for (user, call) in [
        ("streams", Call::Forget(Dialect::UserStreams)),
        ("requests", Call::Forget(Dialect::StreamRequests)),
        ("created", Call::Create),
    ] {
        service.introduce(Dialect::StreamRequests, user);
        service.set_limit(user, 1);
        assert!(start(&service, Dialect::UserStreams, user, "a", 1).is_held());
        let answer = service.ask(&call.ask(user));
        call.reply(&answer, user, 1);
        assert_eq!(service.live(user), [""; 0], "{user}");
        assert!(start(&service, Dialect::UserStreams, user, "b", 1).is_held());
        assert!(
            !start(&service, Dialect::UserStreams, user, "c", 1).is_held(),
            "{user}"
        );
    }
}

/// Where a plan lets the newest in, the dialects do too; the limit holds all the same.
#[test]
fn a_plan_that_evicts_the_oldest_does_so_in_every_dialect() {
    let settings = [
        "plans.zap.limit=1",
        "plans.zap.at_limit=evict_oldest",
        "policy.evict_min_age_s=0",
    ];
    let service = Service::start(&settings);
    service.introduce(Dialect::StreamRequests, "u");
    let set = service.v1("PUT", "/users/u", Some(&json!({ "plan": "zap" })));
    assert_eq!(set.status, 200, "{set:?}");
    let mut before = Vec::new();
    for dialect in Dialect::ALL {
        assert!(start(&service, dialect, "u", dialect.name(), 1).is_held());
        let live = service.live("u");
        assert_eq!(live.len(), 1, "{dialect:?}");
        assert_ne!(live, before, "{dialect:?}");
        before = live;
    }
}

#[test]
fn session_tracker_removes_the_newest_session_whoever_started_it() {
    let service = Service::start(&[]);
    assert!(start(&service, Dialect::UserStreams, "u", "first", 3).is_held());
    assert!(start(&service, Dialect::SessionTracker, "u", "", 3).is_held());
    assert!(start(&service, Dialect::ConcurrencyService, "u", "last", 3).is_held());
    // A repeated start renews a session; it does not make it newer.
    assert!(start(&service, Dialect::UserStreams, "u", "first", 3).is_held());
    let tracker = service.live("u")[1].clone();
    for left in [vec!["first", tracker.as_str()], vec!["first"], vec![]] {
        let answer = service.ask(&Call::StopNewest.ask("u"));
        let number = left.len();
        let message = format!("Number of active session decremented to {number}");
        assert_eq!(answer.text, format!(r#"{{"message":"{message}"}}"#));
        assert_eq!(service.live("u"), left);
    }
}

#[test]
fn stream_log_ends_a_session_whoever_started_it() {
    let service = Service::start(&[]);
    assert!(start(&service, Dialect::UserStreams, "u", "tv", 3).is_held());
    assert_eq!(service.v1("PUT", "/users/u/sessions/pc", None).status, 201);
    for session in ["tv", "pc"] {
        let stop = Call::Stop(Way::Dialect(Dialect::StreamLog), session.to_owned());
        let statuses = [(); 2].map(|()| service.ask(&stop.ask("u")).status);
        assert_eq!(statuses, [204, 404], "{session}");
    }
    assert_eq!(service.live("u"), [""; 0]);
}

#[test]
fn user_streams_and_stream_requests_end_what_every_dialect_started() {
    let service = Service::start(&[]);
    for dialect in [Dialect::UserStreams, Dialect::StreamRequests] {
        let user = dialect.name();
        for starter in [
            Dialect::SessionTracker,
            Dialect::ConcurrencyService,
            Dialect::StreamLog,
        ] {
            assert!(start(&service, starter, user, "s", 3).is_held());
        }
        let answer = service.ask(&Call::Forget(dialect).ask(user));
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        assert_eq!(service.live(user), [""; 0]);
        assert_eq!(
            service.v1("GET", &format!("/users/{user}"), None).status,
            404
        );
    }
}

/// The five sessions of a user that has one through each dialect.
fn one_through_each(service: &Service) -> Vec<Value> {
    service.introduce(Dialect::StreamRequests, "u");
    service.set_limit("u", 5);
    for dialect in Dialect::ALL {
        assert!(start(service, dialect, "u", dialect.name(), 5).is_held());
    }
    let sessions = service.sessions("u");
    assert_eq!(sessions.len(), 5);
    sessions
}

#[test]
fn a_session_of_a_dialect_has_a_lease_of_twelve_hours() {
    let service = Service::start(&[]);
    for session in one_through_each(&service) {
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        // `2026-01-31T23:59:59.999Z`: half a day later only the day and the hour differ.
        let (started, expires) = (text("started_at"), text("expires_at"));
        let hour = |time: &str| time[11..13].parse::<u32>().unwrap();
        assert_eq!((hour(&started) + 12) % 24, hour(&expires), "{session}");
        assert_eq!(started[13..], expires[13..], "{session}");
    }
}

#[tokio::test]
async fn the_slots_of_all_dialects_are_free_one_lease_later() {
    let service = Service::start(&["compat.lease_s=5"]);
    let watch = streamgate_clock::Stopwatch::start();
    one_through_each(&service);
    let mut client = Client::connect(service.address()).await.unwrap();
    let list = Call::List.ask("u");
    let free_after = loop {
        let active = list.send(&mut client).await.json()["active"].clone();
        match watch.elapsed() {
            elapsed if active == 0 => break elapsed,
            elapsed => assert!(elapsed < Duration::from_secs(15), "{active} are left"),
        }
        // Only so as not to spin: the test measures when the slots are free.
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(
        free_after > Duration::from_millis(4_900),
        "freed early: {free_after:?}"
    );
    // Each dialect sees it, too.
    for dialect in Dialect::ALL {
        assert!(
            start(&service, dialect, "u", "again", 5).is_held(),
            "{dialect:?}"
        );
    }
}

/// Its clients have no heartbeat: a repeated start is one.
#[tokio::test]
async fn a_repeated_start_renews_the_lease() {
    let service = Service::start(&[]);
    for dialect in Dialect::ALL {
        if !dialect.names_sessions() {
            continue;
        }
        let user = dialect.name();
        service.introduce(dialect, user);
        assert!(start(&service, dialect, user, "tv", 3).is_held());
        let first = service.sessions(user)[0].clone();
        // Times have milliseconds: the first repetition may fall into the same one.
        for _ in 0..1_000 {
            assert!(start(&service, dialect, user, "tv", 3).is_held());
            if service.sessions(user)[0]["expires_at"] != first["expires_at"] {
                break;
            }
        }
        let last = service.sessions(user)[0].clone();
        assert_eq!(first["started_at"], last["started_at"]);
        let text = |session: &Value| session["expires_at"].as_str().unwrap().to_owned();
        assert!(text(&last) > text(&first), "{first} {last}");
    }
}

#[test]
fn what_the_dialects_started_outlives_a_crash() {
    let service = Service::start(&[]);
    let before = one_through_each(&service);
    let service = service.killed_and_started_again();
    let id = |session: &Value| session["session_id"].as_str().unwrap().to_owned();
    let before: Vec<String> = before.iter().map(id).collect();
    assert_eq!(service.live("u"), before);
    for dialect in Dialect::ALL {
        let verdict = start(&service, dialect, "u", "one-more", 5);
        assert!(!verdict.is_held(), "{dialect:?}: {verdict:?}");
        let is_held = start(&service, dialect, "u", dialect.name(), 5).is_held();
        assert_eq!(is_held, dialect.names_sessions(), "{dialect:?}");
    }
    let (status, name) = (200, r#"{"Name":"u","Subscription":"basic plan","#);
    let shown = service.ask(&Ask::new(
        "GET",
        Dialect::StreamRequests.at("/getuser?id=u"),
    ));
    assert!(
        shown.status == status && shown.text.starts_with(name),
        "{shown:?}"
    );
}

#[test]
fn a_dialect_is_at_the_root_beside_v1_and_the_others() {
    for root in Dialect::ALL {
        let setting = format!("compat.root={}", root.name());
        let service = Service::start(&[&setting]);
        service.introduce(Dialect::StreamRequests, "u");
        let at_root = |ask: Ask| {
            let path = ask.path.strip_prefix(&root.at("")).unwrap().to_owned();
            Ask { path, ..ask }
        };
        let answer = service.ask(&at_root(root.start("u", "tv")));
        assert!(root.verdict(&answer, "u", "tv", 3).is_held(), "{answer:?}");
        let mut active = 1;
        for other in Dialect::ALL {
            assert!(active == 3 || start(&service, other, "u", other.name(), 3).is_held());
            active = service.live("u").len();
        }
        assert_eq!(service.v1("PUT", "/users/u/sessions/x", None).status, 409);
        assert_eq!(service.ask(&Ask::new("GET", "/healthz")).status, 200);
    }
}
