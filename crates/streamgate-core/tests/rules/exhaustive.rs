//! Every short history of a user against the model: no case is left to chance.
//!
//! Three calls of an alphabet that has each kind of call, and two calls of a wider one after each
//! of some beginnings, under limits 0 to 2 and every rule at the limit. Between the calls, time
//! passes so that leases hold, end to the millisecond, or are long forgotten.

use crate::model::history::Step;
use crate::model::{Call, Id, Import, Profile, Rules, Sets, Start, Time, User, real};
use streamgate_core::{Ledger, Policy};

/// The first call of each history; far from both ends of time.
const BEGIN_MS: u64 = 1_700_000_000_000;
const LEASE_S: u32 = 10;
const WINDOW_S: u32 = 20;

/// Steps of time: none, just within the lease, its very end, and past the revive window.
const STEPS: [Step; 4] = [
    Step::Pass(0),
    Step::Pass(9_999),
    Step::Pass(10_000),
    Step::Pass(30_000),
];
/// Where the wide alphabet is used: the same, but with a clock that is set back in the end's place,
/// and a stall that every lease would end in.
const FIRST_STEPS: [Step; 5] = [
    Step::Pass(0),
    Step::Pass(9_999),
    Step::Pass(10_000),
    Step::Pass(-3_600_000),
    Step::Stall(15_000),
];
/// And then: none, the end of a lease, the last millisecond of the revive window, and a stall.
const SECOND_STEPS: [Step; 4] = [
    Step::Pass(0),
    Step::Pass(10_000),
    Step::Pass(29_999),
    Step::Stall(10_000),
];

/// What happens at the limit: whether the oldest is evicted, from which age on in seconds, and
/// whether what is above a lowered limit is ended.
const AT_LIMIT: [(bool, u32, bool); 4] = [
    (false, 0, false),
    (true, 0, false),
    (false, 0, true),
    (true, 10, true),
];

/// How many policies there are: those under limits 0 to 2.
const POLICIES: u64 = 3 * AT_LIMIT.len() as u64;

/// What may come next in a history: each of these calls after each of these steps of time.
#[derive(Clone, Copy)]
struct Level<'a> {
    calls: &'a [Call],
    steps: &'a [Step],
}

fn start(id: Id) -> Start {
    Start {
        id,
        ..Start::default()
    }
}

fn replacing(id: Id, old: Id) -> Call {
    Call::Start(Start {
        replaces: Some(old),
        ..start(id)
    })
}

fn terminating(id: Id, old: &[Id]) -> Call {
    Call::Start(Start {
        terminate: old.to_vec(),
        ..start(id)
    })
}

fn importing(ids: &[Id], profile: Option<&'static str>) -> Call {
    Call::Import(Import {
        ids: ids.to_vec(),
        lease_s: 5,
        profile,
    })
}

/// Each kind of call, over three sessions.
fn alphabet() -> Vec<Call> {
    vec![
        Call::Start(start(0)),
        Call::Start(start(1)),
        Call::Start(start(2)),
        replacing(1, 0),
        replacing(0, 2),
        terminating(2, &[0, 1]),
        Call::Beat(0),
        Call::Beat(1),
        Call::Beats(vec![1, 0]),
        Call::Stop(0),
        Call::Revoke(1),
        Call::SetLimit(Some(0)),
        Call::SetLimit(Some(1)),
        Call::SetPlan(Some("zapper")),
        Call::Erase,
        Call::StopNewest(Some(1)),
    ]
}

/// All calls that three sessions and three plans make possible, or nearly.
fn wide_alphabet() -> Vec<Call> {
    let mut calls = Vec::new();
    for id in 0..3 {
        let others = [(id + 1) % 3, (id + 2) % 3];
        calls.extend([Call::Start(start(id)), terminating(id, &others)]);
        for other in others {
            calls.extend([replacing(id, other), terminating(id, &[other])]);
        }
        calls.extend([Call::Beat(id), Call::Stop(id), Call::Revoke(id)]);
    }
    calls.extend([Call::Beats(vec![2, 1, 0]), Call::Beats(vec![0, 0, 2])]);
    calls.extend(["tv", "phone"].map(|device| {
        Call::Start(Start {
            device: Some(device),
            ..start(0)
        })
    }));
    calls.push(Call::Start(Start {
        metadata: Some("film"),
        lease_s: Some(5),
        ..start(0)
    }));
    calls.push(Call::Start(Start {
        replaces: Some(2),
        terminate: vec![2, 0],
        ..start(1)
    }));
    let sets = |plan, limit| Sets { plan, limit };
    calls.extend(
        [
            sets(None, Some(Some(0))),
            sets(None, Some(Some(1))),
            sets(Some(Some("zapper")), None),
            sets(Some(Some("gone")), Some(Some(1))),
        ]
        .map(|sets| Call::Start(Start { sets, ..start(0) })),
    );
    calls.extend([None, Some(0), Some(1), Some(2)].map(Call::SetLimit));
    calls.extend(
        [
            None,
            Some("solo"),
            Some("zapper"),
            Some("strict"),
            Some("gone"),
        ]
        .map(Call::SetPlan),
    );
    calls.extend([None, Some("gold")].map(Call::SetProfile));
    calls.extend([Call::Erase, Call::Settle]);
    calls.extend([Call::StartIfKnown(start(0)), Call::StartAndList(start(1))]);
    calls.extend([
        Call::Adopt(start(2)),
        Call::Adopt(Start {
            device: Some("phone"),
            ..start(2)
        }),
        Call::Adopt(Start {
            replaces: Some(1),
            ..start(0)
        }),
    ]);
    calls.extend([None, Some(1), Some(2)].map(Call::StopNewest));
    calls.extend([Profile::Kept, Profile::Is("new")].map(Call::Reset));
    calls.extend([importing(&[2, 0], None), importing(&[1], Some("old"))]);
    calls
}

/// A user as the core and the model keep it.
#[derive(Clone)]
struct Both {
    ledger: Ledger,
    model: User,
    now: Time,
}

impl Both {
    fn nobody() -> Self {
        Self {
            ledger: Ledger::default(),
            model: User::default(),
            now: BEGIN_MS.into(),
        }
    }

    /// Makes the last call of a history on both sides, and compares all that can be seen of them.
    fn call(&self, rules: &Rules, policy: &Policy, history: &[(Step, &Call)]) -> Self {
        let (step, call) = *history.last().expect("a call");
        let now = step.after(self.now);
        let step = real::call(&self.ledger, policy, call, now);
        let mut model = self.model.clone();
        let answer = model.call(rules, call, now);
        assert_eq!(step.answer, answer, "the answer: {rules:?} {history:?}");
        let user = real::user(&step.ledger);
        assert_eq!(user, model, "the user: {rules:?} {history:?}");
        let mut folded = self.ledger.clone();
        for event in &step.events {
            folded.apply(event);
        }
        assert_eq!(folded, step.ledger, "the events: {rules:?} {history:?}");
        Self {
            ledger: step.ledger,
            model,
            now,
        }
    }
}

/// Every policy of interest.
fn all_rules() -> impl Iterator<Item = (Rules, Policy)> {
    (0..=2).flat_map(|default_limit| {
        AT_LIMIT.map(|(evict_oldest, evict_min_age_s, end_newest)| {
            let rules = Rules {
                default_limit,
                evict_oldest,
                evict_min_age_s,
                end_newest,
                lease_s: LEASE_S,
                window_s: WINDOW_S,
                heartbeat_write_interval_s: 0,
                skew_s: 0,
            };
            let policy = real::policy(&rules);
            (rules, policy)
        })
    })
}

/// Goes through every way on from `both`; answers how many calls it compared.
fn explore<'a>(
    both: &Both,
    rules: &(Rules, Policy),
    levels: &[Level<'a>],
    history: &mut Vec<(Step, &'a Call)>,
) -> u64 {
    let Some((level, deeper)) = levels.split_first() else {
        return 0;
    };
    // Time that passes before the first call of all changes nothing.
    let steps = if history.is_empty() {
        1
    } else {
        level.steps.len()
    };
    let mut compared = 0;
    for call in level.calls {
        for step in &level.steps[..steps] {
            history.push((*step, call));
            let next = both.call(&rules.0, &rules.1, history);
            compared += 1 + explore(&next, rules, deeper, history);
            history.pop();
        }
    }
    compared
}

#[test]
fn every_history_of_three_calls() {
    let calls = alphabet();
    let level = Level {
        calls: &calls,
        steps: &STEPS,
    };
    let mut compared = 0;
    for rules in all_rules() {
        compared += explore(&Both::nobody(), &rules, &[level; 3], &mut Vec::new());
    }
    let (n, steps) = (calls.len() as u64, STEPS.len() as u64);
    assert_eq!(compared, POLICIES * n * (1 + n * steps * (1 + n * steps)));
}

#[test]
fn every_history_of_two_calls_of_a_wide_alphabet_after_each_beginning() {
    let calls = wide_alphabet();
    let levels = [&FIRST_STEPS[..], &SECOND_STEPS].map(|steps| Level {
        calls: &calls,
        steps,
    });
    let beginnings: [&[(u32, Call)]; 6] = [
        &[],
        // Two are watching.
        &[(0, Call::Start(start(0))), (2_000, Call::Start(start(1)))],
        // One has expired lately, and another took its slot.
        &[(0, Call::Start(start(0))), (10_000, Call::Start(start(1)))],
        // More are watching than the limit allows.
        &[
            (0, Call::SetLimit(Some(3))),
            (0, Call::Start(start(0))),
            (1_000, Call::Start(start(1))),
            (1_000, Call::Start(start(2))),
            (1_000, Call::SetLimit(Some(1))),
        ],
        // One was revived, so it is older than one that started before it came back.
        &[
            (0, Call::SetLimit(Some(2))),
            (0, Call::Start(start(1))),
            (11_000, Call::Start(start(0))),
            (1_000, Call::Beat(1)),
        ],
        // One was evicted or refused, one stopped, and the user has a plan and a profile.
        &[
            (0, Call::SetPlan(Some("zapper"))),
            (0, Call::SetProfile(Some("gold"))),
            (0, Call::Start(start(0))),
            (1_000, Call::Start(start(1))),
            (1_000, Call::Stop(1)),
        ],
    ];
    let mut compared = 0;
    for rules in all_rules() {
        for beginning in beginnings {
            let mut history = Vec::new();
            let both = beginning.iter().fold(Both::nobody(), |both, (ms, call)| {
                history.push((Step::Pass(i64::from(*ms)), call));
                both.call(&rules.0, &rules.1, &history)
            });
            compared += explore(&both, &rules, &levels, &mut history);
        }
    }
    let n = calls.len() as u64;
    let (first, second) = (n * FIRST_STEPS.len() as u64, n * SECOND_STEPS.len() as u64);
    assert_eq!(compared, POLICIES * (n + 5 * first) * (1 + second));
}
