//! `[plans.NAME]`: named limits.

use std::collections::BTreeMap;

use streamgate_core::AtLimit;
use streamgate_core::bounds::LIMIT_MAX;
use streamgate_core::ids::Name;
use streamgate_core::policy::Plan;

use crate::config::entry::KeyPath;
use crate::config::reader::{Ask, Reader};

const LIMIT: Ask = Ask("limit", "Sessions a user of this plan may have at once.");
const AT_LIMIT: Ask = Ask(
    "at_limit",
    "What a start does at this plan's limit. Default: policy.at_limit.",
);

/// The values of `at_limit`.
pub(crate) const AT_LIMIT_WORDS: [(&str, AtLimit); 2] = [
    ("deny_new", AtLimit::DenyNew),
    ("evict_oldest", AtLimit::EvictOldest),
];

/// Reads every plan.
pub(crate) fn read(reader: &mut Reader) -> BTreeMap<Name, Plan> {
    reader.section(
        "[plans.NAME]",
        "Named limits. Assign one by PUT /v1/users/{user_id} or `streamgate users set-plan`. A \
         user whose plan is not listed here has the default limit.",
    );
    reader.example(&[
        "[plans.basic]",
        "limit = 1",
        "",
        "[plans.premium]",
        "limit = 4",
        "at_limit = \"evict_oldest\"",
    ]);
    reader.pattern(read_plan);
    let mut plans = BTreeMap::new();
    for name in reader.tables("plans", &[AT_LIMIT.0, LIMIT.0]) {
        reader.enter(KeyPath::new("plans").child(&name));
        let (limit, at_limit) = read_plan(reader);
        if limit.is_none() {
            reader.missing(LIMIT.0);
        }
        match (Name::new(name.as_str()), limit) {
            (Ok(name), Some(limit)) => {
                plans.insert(name, Plan { limit, at_limit });
            }
            (Err(why), _) => reader.wrong_here(LIMIT.0, format!("has a plan whose name {why}")),
            (Ok(_), None) => {}
        }
    }
    plans
}

/// The limit and the rule of one plan.
fn read_plan(reader: &mut Reader) -> (Option<u32>, Option<AtLimit>) {
    let limit = reader.whole_or_none(LIMIT, 0..=LIMIT_MAX);
    (limit, reader.choice_or(AT_LIMIT, None, &AT_LIMIT_WORDS))
}
