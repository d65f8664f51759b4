//! `[policy]`: limits and durations.

use streamgate_core::bounds::{
    EVICT_MIN_AGE_MAX_S, HEARTBEAT_WRITE_INTERVAL_MAX_S, HEARTBEATS_PER_LEASE, LEASE_MAX_S,
    LEASE_MIN_S, LIMIT_MAX, REVIVE_WINDOW_MAX_S,
};
use streamgate_core::{OverLimit, Policy, Seconds};

use super::plans::{self, AT_LIMIT_WORDS};
use crate::config::reader::{Ask, Reader};

/// The values of `over_limit`.
const OVER_LIMIT_WORDS: [(&str, OverLimit); 2] = [
    ("keep", OverLimit::Keep),
    ("end_newest", OverLimit::EndNewest),
];

const OVER_LIMIT: Ask = Ask(
    "over_limit",
    "What a lowered limit does to the newest sessions above it: \"keep\" lets them run until they \
     end; \"end_newest\" ends each at its next heartbeat (410, reason evicted). A limit of 0 \
     always ends all sessions of the user: at once if set by the API, at the next heartbeat if set \
     here.",
);
const EVICT_MIN_AGE_S: Ask = Ask(
    "evict_min_age_s",
    "\"evict_oldest\" never ends a session younger than this, in seconds. The start is refused \
     instead, and the refusal says when it would be admitted. So two players that restart \
     automatically cannot take the slot from each other in a loop. 0 is off.",
);
const HEARTBEAT_WRITE_INTERVAL_S: Ask = Ask(
    "heartbeat_write_interval_s",
    "Seconds during which repeated heartbeats of a session are not written to the store: saves \
     cost on pay-per-write stores (DynamoDB). Leases grow by the same time, so no viewer loses \
     a slot, but slots of vanished players free later, and a player learns later that another \
     node ended its session. No effect on the embedded store, which writes no heartbeats.",
);

/// Reads this section and the plans.
pub(crate) fn read(reader: &mut Reader) -> Policy {
    reader.section("[policy]", "Limits and durations of every decision.");
    let default_limit = Ask(
        "default_limit",
        "Sessions a user may have at once, unless the user or its plan has a limit of its own. 0 \
         blocks all starts.",
    );
    let at_limit = Ask(
        "at_limit",
        "What a start does when every slot is taken: \"deny_new\" refuses it and lists the \
         sessions that hold the slots; \"evict_oldest\" ends the oldest session.",
    );
    let lease_s = Ask(
        "lease_s",
        "How long a slot is held without a heartbeat, in seconds.",
    );
    let heartbeat_interval_s = Ask(
        "heartbeat_interval_s",
        "The interval at which players send heartbeats, in seconds; at most lease_s. Default: a \
         third of lease_s.",
    );
    let revive_window_s = Ask(
        "revive_window_s",
        "How long ended sessions are remembered, in seconds. Within it a late heartbeat revives an \
         expired session if a slot is free.",
    );
    reader.was_called("policy.laziness_s", "heartbeat_write_interval_s");
    let default = Policy::default();
    let default_limit = reader.whole(default_limit, default.default_limit, 0..=LIMIT_MAX);
    let at_limit = reader.choice(at_limit, default.at_limit, &AT_LIMIT_WORDS);
    let over_limit = reader.choice(OVER_LIMIT, default.over_limit, &OVER_LIMIT_WORDS);
    let evict_min_age_s = reader.whole(
        EVICT_MIN_AGE_S,
        default.evict_min_age.0,
        0..=EVICT_MIN_AGE_MAX_S,
    );
    let lease_s = reader.whole(lease_s, default.lease.0, LEASE_MIN_S..=LEASE_MAX_S);
    let interval_s = reader.whole(
        heartbeat_interval_s,
        lease_s / HEARTBEATS_PER_LEASE,
        1..=lease_s,
    );
    let window_s = reader.whole(
        revive_window_s,
        default.revive_window.0,
        0..=REVIVE_WINDOW_MAX_S,
    );
    let heartbeat_write_interval_s = reader.whole(
        HEARTBEAT_WRITE_INTERVAL_S,
        default.heartbeat_write_interval.0,
        0..=HEARTBEAT_WRITE_INTERVAL_MAX_S,
    );
    Policy {
        default_limit,
        at_limit,
        over_limit,
        evict_min_age: Seconds(evict_min_age_s),
        plans: plans::read(reader),
        lease: Seconds(lease_s),
        heartbeat_interval: Seconds(interval_s),
        revive_window: Seconds(window_s),
        heartbeat_write_interval: Seconds(heartbeat_write_interval_s),
        ..default
    }
}
