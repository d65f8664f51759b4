//! Random histories of a user.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::{Call, Id, Import, PLANS, Profile, Rules, Sets, Start, Time};

pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000;
const IDS: Id = 6;

/// A history: rules, and calls with what happens to the time before each.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) rules: Rules,
    pub(crate) calls: Vec<(Step, Call)>,
}

/// What happens to the time between two calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// So many milliseconds pass, or the clock is set back.
    Pass(i64),
    /// The server stands still for so many milliseconds.
    Stall(u32),
}

impl Step {
    pub(crate) fn after(self, time: Time) -> Time {
        match self {
            Self::Pass(ms) => Time {
                now: time.now.saturating_add_signed(ms),
                ..time
            },
            Self::Stall(ms) => {
                let now = time.now + u64::from(ms);
                Time {
                    now,
                    stall: Some((time.now, now)),
                }
            }
        }
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let seconds = (5_u32..120, 0_u32..300);
    // Half of the tenants have neither, as most have.
    let slack = prop_oneof![Just((0, 0)), (0_u32..60, 0_u32..=5)];
    let at_limit = (any::<bool>(), prop_oneof![Just(0), 0_u32..60]);
    (0_u32..4, at_limit, any::<bool>(), seconds, slack).prop_map(
        |(default_limit, at_limit, end_newest, seconds, slack)| Rules {
            default_limit,
            evict_oldest: at_limit.0,
            evict_min_age_s: at_limit.1,
            end_newest,
            lease_s: seconds.0,
            window_s: seconds.1,
            heartbeat_write_interval_s: slack.0,
            skew_s: slack.1,
        },
    )
}

/// Time mostly passes a little, sometimes much, and sometimes the clock is set back.
fn step_ms() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 0_i64..5_000,
        4 => 0_i64..60_000,
        2 => (5_i64..120).prop_map(|s| s * 1_000),
        1 => 0_i64..600_000,
        1 => -3_600_000_i64..0,
        1 => 0_i64..3_600_000,
    ]
}

fn start() -> impl Strategy<Value = Start> {
    let others = (0..IDS).collect::<Vec<_>>();
    (
        0..IDS,
        (
            proptest::option::of(prop_oneof![Just("film"), Just("match")]),
            proptest::option::of(prop_oneof![4 => Just("tv"), 1 => Just("phone")]),
        ),
        proptest::option::weighted(0.2, 5_u32..200),
        proptest::option::weighted(0.2, 0..IDS),
        prop_oneof![
            4 => Just(Vec::new()),
            1 => subsequence(others, 0..=3),
        ],
        // Most starts say nothing about their user.
        prop_oneof![9 => Just(Sets::default()), 1 => sets()],
    )
        .prop_map(
            |(id, (metadata, device), lease_s, replaces, terminate, sets)| {
                // The edge refuses a start that would end itself.
                Start {
                    id,
                    metadata,
                    device,
                    lease_s,
                    replaces: replaces.filter(|old| *old != id),
                    terminate: terminate.into_iter().filter(|old| *old != id).collect(),
                    sets,
                }
            },
        )
}

fn sets() -> impl Strategy<Value = Sets> {
    let plan = prop_oneof![
        4 => proptest::sample::select(vec![None, Some("solo"), Some("zapper"), Some("strict")]),
        1 => Just(Some("gone")),
    ];
    let limit = proptest::option::of(0_u32..5);
    (proptest::option::of(plan), proptest::option::of(limit))
        .prop_map(|(plan, limit)| Sets { plan, limit })
}

fn import() -> impl Strategy<Value = Call> {
    let ids = subsequence((0..IDS).collect::<Vec<_>>(), 0..=4).prop_shuffle();
    let profile = proptest::option::of(prop_oneof![Just("gold"), Just("old")]);
    (ids, 5_u32..200, profile).prop_map(|(ids, lease_s, profile)| {
        Call::Import(Import {
            ids,
            lease_s,
            profile,
        })
    })
}

/// Calls that end all, and as many that do nothing.
fn ending_all() -> Vec<Call> {
    let resets = [Profile::Kept, Profile::Cleared, Profile::Is("silver")].map(Call::Reset);
    let mut calls = vec![Call::Settle; 6];
    calls.extend(resets);
    calls.push(Call::Erase);
    calls
}

fn call() -> impl Strategy<Value = Call> {
    let plans = PLANS.map(|(name, ..)| Some(name)).to_vec();
    prop_oneof![
        10 => start().prop_map(Call::Start),
        1 => start().prop_map(Call::StartIfKnown),
        1 => start().prop_map(Call::StartAndList),
        2 => start().prop_map(Call::Adopt),
        12 => (0..IDS).prop_map(Call::Beat),
        3 => proptest::collection::vec(0..IDS, 0..8).prop_map(Call::Beats),
        4 => (0..IDS).prop_map(Call::Stop),
        1 => (0..IDS).prop_map(Call::Revoke),
        1 => proptest::option::of(0_u32..5).prop_map(Call::SetLimit),
        1 => proptest::sample::select([plans, vec![None, Some("gone")]].concat())
            .prop_map(Call::SetPlan),
        1 => proptest::option::of(Just("gold")).prop_map(Call::SetProfile),
        2 => proptest::option::weighted(0.8, 0..IDS).prop_map(Call::StopNewest),
        1 => import(),
        2 => Just(Call::Settle),
        // Rare, because it ends so much that little can happen for a while.
        1 => proptest::sample::select(ending_all()),
    ]
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    let step = prop_oneof![
        30 => step_ms().prop_map(Step::Pass),
        1 => (2_000_u32..600_000).prop_map(Step::Stall),
    ];
    let calls = proptest::collection::vec((step, call()), 1..200);
    (rules(), calls).prop_map(|(rules, calls)| History { rules, calls })
}
