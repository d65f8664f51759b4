//! `[policy]`: what decides.

use streamgate_core::bounds::{
    EVICT_MIN_AGE_MAX_S, HEARTBEAT_WRITE_INTERVAL_MAX_S, HEARTBEATS_PER_LEASE, LEASE_MAX_S,
    LEASE_MIN_S, LIMIT_MAX, REVIVE_WINDOW_MAX_S,
};
use streamgate_core::{OverLimit, Policy, Seconds};

use super::plans::{self, AT_LIMIT_WORDS};
use crate::config::reader::{Ask, Reader};

/// The words for what a lowered limit does.
const OVER_LIMIT_WORDS: [(&str, OverLimit); 2] = [
    ("keep", OverLimit::Keep),
    ("end_newest", OverLimit::EndNewest),
];

const OVER_LIMIT: Ask = Ask(
    "over_limit",
    "What a lowered limit does to the sessions above it, which are those that started last: \"keep\" \
     lets them go on until they end by themselves; \"end_newest\" ends each at its next heartbeat \
     (410, reason evicted). A limit of 0 ends all sessions of a user in either case: at once where \
     the API sets it, at the next heartbeat where the configuration does.",
);
const EVICT_MIN_AGE_S: Ask = Ask(
    "evict_min_age_s",
    "\"evict_oldest\" ends no session that started less than this long ago, in seconds; the start \
     is refused, and the refusal says when one is admitted. So two players that start again by \
     themselves do not take the slot from each other without end. 0 is off.",
);

/// Reads this section and the plans.
pub(crate) fn read(reader: &mut Reader) -> Policy {
    reader.section("[policy]", "What decides: limits and durations.");
    let default_limit = Ask(
        "default_limit",
        "How many sessions a user may have at once, if neither the user nor its plan says \
         otherwise. 0 blocks.",
    );
    let at_limit = Ask(
        "at_limit",
        "What happens to a start when every slot is taken: \"deny_new\" refuses it and says who \
         holds the slots; \"evict_oldest\" ends the sessions that started first.",
    );
    let lease_s = Ask(
        "lease_s",
        "How long a slot is held without a heartbeat, in seconds.",
    );
    let heartbeat_interval_s = Ask(
        "heartbeat_interval_s",
        "How often players are told to send a heartbeat, in seconds; at most lease_s. Unless set, \
         a third of lease_s.",
    );
    let revive_window_s = Ask(
        "revive_window_s",
        "How long ended sessions are remembered, and a late heartbeat can start an expired one \
         again if a slot is free, in seconds.",
    );
    let heartbeat_write_interval_s = Ask(
        "heartbeat_write_interval_s",
        "For how long after a heartbeat that was written further ones are answered without writing, \
         in seconds: for stores that are paid by the write. Leases are longer by as much, so that no \
         viewer loses a slot; a vanished player's slot is free that much later, and a player whose \
         session another node has ended hears of it that much later. The embedded store \
         writes no heartbeats and needs none of it.",
    );
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
        heartbeat_write_interval_s,
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
