//! What decides: limits by plan, what happens at the limit, and how long things last.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::bounds::{
    CLOCK_SKEW_MAX_S, EVICT_MIN_AGE_DEFAULT_S, EVICT_MIN_AGE_MAX_S, HEARTBEAT_WRITE_INTERVAL_MAX_S,
    HEARTBEATS_PER_LEASE, LEASE_DEFAULT_S, LEASE_MAX_S, LEASE_MIN_S, LIMIT_DEFAULT, LIMIT_MAX,
    REVIVE_WINDOW_DEFAULT_S, REVIVE_WINDOW_MAX_S, STALL_MIN_S,
};
use crate::ids::Name;
use crate::ledger::Ledger;
use crate::metadata::SessionMetadata;
use crate::time::{Seconds, Timestamp};

/// What happens to a start when every slot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AtLimit {
    /// The start is refused, and the refusal says who holds the slots.
    #[default]
    DenyNew,
    /// The sessions that started first are ended until there is room.
    EvictOldest,
}

/// What a lowered limit does to the sessions above it, at their next heartbeat. A limit of 0 ends
/// them in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverLimit {
    /// They go on until they end by themselves.
    #[default]
    Keep,
    /// They are ended. Above the limit are those that started last.
    EndNewest,
}

/// A named limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Most concurrent sessions, 0 to 1,000.
    pub limit: u32,
    /// What happens at the limit; the policy's own rule where it is `None`.
    pub at_limit: Option<AtLimit>,
}

/// Where a user's limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitSource {
    /// The user has a limit of its own.
    User,
    /// The user's plan sets it.
    Plan,
    /// The user has neither (or a plan that configuration does not know any more).
    Default,
}

/// The rules of a tenant. Build it with [`Policy::checked`], which holds it to its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The limit of a user without plan and without a limit of its own.
    pub default_limit: u32,
    /// What happens at the limit.
    pub at_limit: AtLimit,
    /// What happens to sessions above a limit that was lowered.
    pub over_limit: OverLimit,
    /// [`AtLimit::EvictOldest`] ends no session that started less than this long ago; 0 is off.
    pub evict_min_age: Seconds,
    /// Plans by name.
    pub plans: BTreeMap<Name, Plan>,
    /// How long a slot is held without a heartbeat.
    pub lease: Seconds,
    /// When the player should call next.
    pub heartbeat_interval: Seconds,
    /// How long endings are remembered, and an expired session can be revived.
    pub revive_window: Seconds,
    /// For how long after a heartbeat that was recorded further ones need not be. Leases are longer
    /// by as much, so that no viewer loses a slot by it; the price is that a vanished player's slot
    /// is free that much later.
    pub heartbeat_write_interval: Seconds,
    /// How far the clocks of the nodes may be apart. Leases are longer by as much, so that the
    /// fastest clock ends none too early. Zero where one clock serves all.
    pub clock_skew: Seconds,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            default_limit: LIMIT_DEFAULT,
            at_limit: AtLimit::DenyNew,
            over_limit: OverLimit::Keep,
            evict_min_age: Seconds(EVICT_MIN_AGE_DEFAULT_S),
            plans: BTreeMap::new(),
            lease: Seconds(LEASE_DEFAULT_S),
            heartbeat_interval: Seconds(LEASE_DEFAULT_S / HEARTBEATS_PER_LEASE),
            revive_window: Seconds(REVIVE_WINDOW_DEFAULT_S),
            heartbeat_write_interval: Seconds(0),
            clock_skew: Seconds(0),
        }
    }
}

/// Which rule of a policy is out of its bounds. `field` is its name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {low} to {high}, is {is}")]
pub struct PolicyError {
    /// The name of the setting, such as `default_limit` or `plans.basic.limit`.
    pub field: String,
    /// The lowest value allowed.
    pub low: u32,
    /// The highest value allowed.
    pub high: u32,
    /// The value given.
    pub is: u32,
}

/// The name of the rule that every user has: the limit of all of its sessions together.
pub const LIMIT_RULE: &str = "limit";

/// One rule of admission: how many concurrent sessions of one kind a user may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What a refusal calls it.
    pub name: Cow<'static, str>,
    /// Which sessions it counts.
    pub scope: Scope,
    /// Most concurrent sessions in the scope, 0 to 1,000.
    pub limit: u32,
    /// What happens when they are reached.
    pub at_limit: AtLimit,
}

/// The sessions of a user that a [`Rule`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
}

impl Scope {
    /// Whether a session with this metadata is in the scope.
    #[must_use]
    pub fn covers(&self, _metadata: Option<&SessionMetadata>) -> bool {
        match self {
            Self::All => true,
        }
    }
}

impl Policy {
    /// Returns the policy if every rule is within its bounds.
    ///
    /// # Errors
    /// The first rule that is not, by the name it has in the configuration.
    pub fn checked(self) -> Result<Self, PolicyError> {
        let within = |field: &str, is: u32, low: u32, high: u32| {
            if (low..=high).contains(&is) {
                Ok(())
            } else {
                Err(PolicyError {
                    field: field.to_owned(),
                    low,
                    high,
                    is,
                })
            }
        };
        within("default_limit", self.default_limit, 0, LIMIT_MAX)?;
        within(
            "evict_min_age_s",
            self.evict_min_age.0,
            0,
            EVICT_MIN_AGE_MAX_S,
        )?;
        within("lease_s", self.lease.0, LEASE_MIN_S, LEASE_MAX_S)?;
        within(
            "heartbeat_interval_s",
            self.heartbeat_interval.0,
            1,
            self.lease.0,
        )?;
        within(
            "revive_window_s",
            self.revive_window.0,
            0,
            REVIVE_WINDOW_MAX_S,
        )?;
        within(
            "heartbeat_write_interval_s",
            self.heartbeat_write_interval.0,
            0,
            HEARTBEAT_WRITE_INTERVAL_MAX_S,
        )?;
        within("clock_skew_s", self.clock_skew.0, 0, CLOCK_SKEW_MAX_S)?;
        for (name, plan) in &self.plans {
            within(&format!("plans.{name}.limit"), plan.limit, 0, LIMIT_MAX)?;
        }
        Ok(self)
    }

    /// When a lease of this length is over that is granted at `now`.
    #[must_use]
    pub const fn lease_end(&self, now: Timestamp, lease: Seconds) -> Timestamp {
        now.plus(lease)
            .plus(self.heartbeat_write_interval)
            .plus(self.clock_skew)
    }

    /// How long heartbeats may go unserved before sessions need a lease of grace, in milliseconds:
    /// a heartbeat interval, or less where leases have less to spare. A player that calls every
    /// interval does not lose its slot to a shorter stall.
    #[must_use]
    pub const fn stall_ms(&self) -> u64 {
        let interval_ms = self.heartbeat_interval.as_millis();
        let spare_ms = self.lease.as_millis().saturating_sub(interval_ms) / 2;
        let longest_ms = if spare_ms < interval_ms {
            spare_ms
        } else {
            interval_ms
        };
        let shortest_ms = Seconds(STALL_MIN_S).as_millis();
        if longest_ms < shortest_ms {
            shortest_ms
        } else {
            longest_ms
        }
    }

    /// From when on [`AtLimit::EvictOldest`] may end a session that started then.
    ///
    /// A start that lies after `now` was recorded by a clock that has been set back since. It says
    /// nothing about the session's age, so it protects nothing.
    #[must_use]
    pub fn evictable_from(&self, started_at: Timestamp, now: Timestamp) -> Timestamp {
        if started_at > now {
            return now;
        }
        started_at.plus(self.evict_min_age)
    }

    /// The rules for the user with this ledger. A start must satisfy each one whose scope covers
    /// it; a refusal names the first that it does not.
    pub fn rules_of(&self, ledger: &Ledger) -> impl Iterator<Item = Rule> + use<> {
        std::iter::once(self.limit_of(ledger))
    }

    /// The rule that counts all sessions of the user with this ledger. Its limit is the user's own,
    /// else its plan's, else the default.
    #[must_use]
    pub fn limit_of(&self, ledger: &Ledger) -> Rule {
        let plan = self.plan_of(ledger);
        let of_plan = plan.map_or(self.default_limit, |plan| plan.limit);
        Rule {
            name: Cow::Borrowed(LIMIT_RULE),
            scope: Scope::All,
            limit: ledger.limit.unwrap_or(of_plan),
            at_limit: plan.and_then(|plan| plan.at_limit).unwrap_or(self.at_limit),
        }
    }

    /// Where the limit of the user with this ledger comes from.
    #[must_use]
    pub fn limit_source(&self, ledger: &Ledger) -> LimitSource {
        match (ledger.limit, self.plan_of(ledger)) {
            (Some(_), _) => LimitSource::User,
            (None, Some(_)) => LimitSource::Plan,
            (None, None) => LimitSource::Default,
        }
    }

    /// The user's plan. One that is not in the configuration counts as none.
    fn plan_of(&self, ledger: &Ledger) -> Option<&Plan> {
        self.plans.get(ledger.plan.as_ref()?)
    }
}
