//! Several observers: each hears every call of every method.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use streamgate_core::admission::{Refused, Start};
use streamgate_core::{Event, UserKey};
use streamgate_engine::{Answer, EngineObserver, Observers};

use crate::support::{start, user};

/// Remembers the names of the methods that were called.
#[derive(Debug, Default)]
struct Calls(Mutex<Vec<&'static str>>);

impl Calls {
    fn add(&self, name: &'static str) {
        self.0.lock().unwrap().push(name);
    }
}

impl EngineObserver for Calls {
    fn committed(&self, who: &UserKey, events: &[Event]) {
        assert_eq!((who, events), (&user("u"), &[Event::UserErased][..]));
        self.add("committed");
    }

    fn answered(&self, answer: Answer<'_>) {
        assert!(matches!(answer, Answer::DegradedStart), "{answer:?}");
        self.add("answered");
    }

    fn refused(&self, who: &UserKey, asked: &Start, why: &Refused) {
        assert_eq!((who, asked, why), (&user("u"), &start("a"), &refused()));
        self.add("refused");
    }

    fn swept(&self, who: &UserKey, live: usize) {
        assert_eq!((who, live), (&user("u"), 2));
        self.add("swept");
    }

    fn reconciled(&self, holds_slot: bool) {
        assert!(holds_slot);
        self.add("reconciled");
    }

    fn outcome_unknown(&self) {
        self.add("outcome_unknown");
    }

    fn damaged(&self, records: usize) {
        assert_eq!(records, 3);
        self.add("damaged");
    }

    fn failed(&self, who: &UserKey) {
        assert_eq!(*who, user("u"));
        self.add("failed");
    }
}

fn refused() -> Refused {
    Refused {
        rule: Cow::Borrowed("limit"),
        limit: 1,
        active: 1,
        conflict: Vec::new(),
        next_slot_at: None,
    }
}

/// The names of the trait's methods, as they stand in its source. They all do nothing by default,
/// so the compiler does not notice that one of them is not passed on.
fn methods() -> Vec<&'static str> {
    let source = include_str!("../../src/observer.rs");
    let (_, behind) = source.split_once("pub trait EngineObserver").unwrap();
    let (body, _) = behind.split_once("\n}\n").unwrap();
    let heads = body.lines().filter_map(|line| line.strip_prefix("    fn "));
    let name = |head: &'static str| head.split_once('(').unwrap().0;
    heads.map(name).collect()
}

#[test]
fn several_observers_hear_every_method_of_the_trait() {
    let heard = [Arc::new(Calls::default()), Arc::new(Calls::default())];
    let observers = Observers::new(heard.clone().map(|one| one as Arc<dyn EngineObserver>));
    let who = user("u");
    observers.committed(&who, &[Event::UserErased]);
    observers.answered(Answer::DegradedStart);
    observers.refused(&who, &start("a"), &refused());
    observers.swept(&who, 2);
    observers.reconciled(true);
    observers.outcome_unknown();
    observers.damaged(3);
    observers.failed(&who);
    for one in heard {
        assert_eq!(*one.0.lock().unwrap(), methods());
    }
}
