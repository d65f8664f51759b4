//! The rules of a tenant: their bounds, errors that name the setting, and whose limit applies.

use crate::support::{User, name};
use streamgate_core::admission::{Edit, SetUser, SetUserOutcome, user_of};
use streamgate_core::policy::{Plan, PolicyError};
use streamgate_core::{AtLimit, Ledger, LimitSource, Policy, Seconds};

fn with_plan(limit: u32, at_limit: Option<AtLimit>) -> Policy {
    let mut policy = Policy::default();
    policy.plans.insert(name("basic"), Plan { limit, at_limit });
    policy
}

fn refused(policy: Policy, field: &str, low: u32, high: u32, is: u32) {
    let field = field.to_owned();
    let error = PolicyError {
        field,
        low,
        high,
        is,
    };
    assert_eq!(policy.checked(), Err(error));
}

#[test]
fn the_default_is_three_slots_90_seconds_and_ten_minutes() {
    let policy = Policy::default().checked().expect("within bounds");
    assert_eq!(
        (policy.default_limit, policy.at_limit),
        (3, AtLimit::DenyNew)
    );
    assert_eq!(
        (policy.lease, policy.heartbeat_interval),
        (Seconds(90), Seconds(30))
    );
    assert_eq!(policy.revive_window, Seconds(600));
}

#[test]
fn every_bound_is_checked_and_named() {
    let of = |change: fn(&mut Policy, u32), value| {
        let mut policy = Policy::default();
        change(&mut policy, value);
        policy
    };
    let limit: fn(&mut Policy, u32) = |policy, limit| policy.default_limit = limit;
    let lease: fn(&mut Policy, u32) = |policy, s| {
        policy.lease = Seconds(s);
        policy.heartbeat_interval = Seconds(s.clamp(1, 5));
    };
    let interval: fn(&mut Policy, u32) = |policy, s| policy.heartbeat_interval = Seconds(s);
    let window: fn(&mut Policy, u32) = |policy, s| policy.revive_window = Seconds(s);
    let settings = [
        ("default_limit", limit, 0, 1_000),
        ("lease_s", lease, 5, 86_400),
        ("heartbeat_interval_s", interval, 1, 90),
        ("revive_window_s", window, 0, 86_400),
    ];
    for (field, change, low, high) in settings {
        for good in [low, high] {
            assert!(of(change, good).checked().is_ok(), "{field} = {good}");
        }
        refused(of(change, high + 1), field, low, high, high + 1);
        refused(of(change, u32::MAX), field, low, high, u32::MAX);
        if let Some(below) = low.checked_sub(1) {
            refused(of(change, below), field, low, high, below);
        }
    }
}

#[test]
fn a_plan_is_named_by_its_key() {
    for good in [0, 1_000] {
        assert!(with_plan(good, None).checked().is_ok());
    }
    refused(with_plan(1_001, None), "plans.basic.limit", 0, 1_000, 1_001);
    let error = with_plan(1_001, None).checked().expect_err("too high");
    assert_eq!(
        error.to_string(),
        "plans.basic.limit must be 0 to 1000, is 1001"
    );
}

#[test]
fn the_own_limit_goes_before_the_plans_and_that_before_the_default() {
    let policy = with_plan(1, Some(AtLimit::EvictOldest));
    let rule = |limit, plan: Option<&str>| {
        let plan = plan.map(name);
        let ledger = Ledger {
            limit,
            plan,
            ..Ledger::default()
        };
        let rule = policy.limit_of(&ledger);
        (rule.limit, policy.limit_source(&ledger), rule.at_limit)
    };
    let (deny, evict) = (AtLimit::DenyNew, AtLimit::EvictOldest);
    assert_eq!(rule(None, None), (3, LimitSource::Default, deny));
    assert_eq!(rule(None, Some("basic")), (1, LimitSource::Plan, evict));
    assert_eq!(rule(Some(0), None), (0, LimitSource::User, deny));
    // The number is the user's own; what happens at it is still the plan's.
    assert_eq!(rule(Some(7), Some("basic")), (7, LimitSource::User, evict));
    // Configuration dropped the plan.
    assert_eq!(rule(None, Some("gone")), (3, LimitSource::Default, deny));
}

#[test]
fn a_plan_without_a_rule_takes_the_policys() {
    for at_limit in [AtLimit::DenyNew, AtLimit::EvictOldest] {
        let policy = Policy {
            at_limit,
            ..with_plan(1, None)
        };
        let plan = Some(name("basic"));
        let ledger = Ledger {
            plan,
            ..Ledger::default()
        };
        assert_eq!(policy.limit_of(&ledger).at_limit, at_limit);
    }
}

#[test]
fn a_user_is_set_and_seen_as_set() {
    let mut user = User {
        policy: with_plan(1, None),
        ..User::with_limit(3)
    };
    let profile = crate::support::attributes(&[("email", "ana@example.com")]);
    let set = SetUser {
        plan: Edit::Set(name("basic")),
        limit: Edit::Keep,
        profile: Edit::Set(profile.clone()),
    };
    let outcome = user.run(&set).outcome;
    let view = user_of(&user.ledger, &user.policy, user.now());
    assert_eq!(outcome, SetUserOutcome::Set(view.clone()));
    assert_eq!((view.limit, view.limit_source), (1, LimitSource::Plan));
    assert_eq!((view.plan, view.profile), (Some(name("basic")), profile));
    assert_eq!(
        user.run(&set).events,
        [],
        "set to what it is, nothing changes"
    );

    let unknown = SetUser {
        plan: Edit::Set(name("gone")),
        limit: Edit::Set(9),
        ..SetUser::default()
    };
    let decision = user.run(&unknown);
    assert_eq!(decision.outcome, SetUserOutcome::UnknownPlan(name("gone")));
    assert_eq!(decision.events, [], "nothing is half-applied");

    let clear = SetUser {
        plan: Edit::Clear,
        limit: Edit::Clear,
        profile: Edit::Clear,
    };
    user.run(&clear);
    assert_eq!(user.ledger, Ledger::default());
}
