//! The result of an import: every thing counted, some listed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Found, Skip};
use crate::client::printable;

/// How many examples of each reason the text has.
const EXAMPLES_MAX: usize = 20;
/// How many skipped things the JSON has, and the memory holds.
const DETAILS_MAX: usize = 10_000;

/// Reasons that lie in the data, so that another try would come to the same.
const OF_THE_DATA: [&str; 4] = ["no_slot", "ended", "profile_kept", "invalid"];

/// The result of an import, or of a dry run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Users that were imported; in a dry run, those that would be sent.
    pub(super) users: u64,
    /// Sessions that were started; in a dry run, those that would be sent.
    pub(super) started: u64,
    /// Sessions that were live already.
    pub(super) already_live: u64,
    /// Users without sessions and profile.
    nothing: u64,
    /// The skipped things by their reason: how many, and the first of them.
    skipped: BTreeMap<Cow<'static, str>, (u64, Vec<Skip>)>,
    /// How many of those are kept in all.
    kept: usize,
}

impl Report {
    /// Counts one thing of a file that is not sent.
    pub(crate) fn count(&mut self, found: Found) {
        match found {
            Found::User(user) => {
                self.users += 1;
                self.started += user.sessions.len() as u64;
            }
            Found::Nothing => self.nothing += 1,
            Found::Skip(skip) => self.skip(skip),
        }
    }

    /// Counts one more skipped thing.
    pub(super) fn skip(&mut self, skip: Skip) {
        let (count, kept) = self.skipped.entry(skip.reason.clone()).or_default();
        *count += 1;
        // However many there are of one reason, each other reason gets its examples.
        if self.kept < DETAILS_MAX || kept.len() < EXAMPLES_MAX {
            kept.push(skip);
            self.kept += 1;
        }
    }

    /// The number of users that would be sent.
    pub(crate) fn users(&self) -> u64 {
        self.users
    }

    /// How many things were skipped although nothing is wrong with them.
    pub(crate) fn failures(&self) -> u64 {
        let skipped = self.skipped.iter();
        let failures = skipped.filter(|(reason, _)| !OF_THE_DATA.contains(&reason.as_ref()));
        failures.map(|(_, (count, _))| count).sum()
    }

    /// The result as `--json` prints it.
    pub(crate) fn json(&self, is_dry: bool) -> Value {
        let skipped = self.skipped.iter();
        let counts: BTreeMap<&str, u64> = skipped
            .map(|(reason, (count, _))| (reason.as_ref(), *count))
            .collect();
        let kept = self.skipped.values().flat_map(|(_, kept)| kept);
        let left_out = counts.values().sum::<u64>() - self.kept as u64;
        let mut report = json!({
            "dry_run": is_dry,
            "users": self.users,
            "nothing_to_import": self.nothing,
            "skipped": counts,
            "details": kept.map(Skip::json).collect::<Vec<Value>>(),
            "details_left_out": left_out,
        });
        if is_dry {
            report["sessions"] = self.started.into();
        } else {
            report["started"] = self.started.into();
            report["already_live"] = self.already_live.into();
        }
        report
    }

    /// The result as text.
    pub(crate) fn text(&self, is_dry: bool) -> String {
        let (users, started) = (
            counted(self.users, "user"),
            counted(self.started, "session"),
        );
        let mut text = if is_dry {
            format!("dry run: {users} with {started} would be sent; nothing was\n")
        } else {
            let live = self.already_live;
            format!("imported {users}: {started} started, {live} live already\n")
        };
        // Writing to a String cannot fail.
        if self.nothing > 0 {
            let nothing = counted(self.nothing, "user");
            let _ = writeln!(text, "{nothing} with nothing to import");
        }
        for (reason, (count, kept)) in &self.skipped {
            let _ = writeln!(text, "skipped, {}: {count}", printable(reason));
            let examples = kept.iter().take(EXAMPLES_MAX);
            let more = count - examples.len() as u64;
            for skip in examples {
                let _ = writeln!(text, "  {}", skip.text());
            }
            if more > 0 {
                let _ = writeln!(text, "  and {more} more; --json lists more");
            }
        }
        text
    }
}

impl Skip {
    fn json(&self) -> Value {
        let mut skip = json!({
            "at": self.at.to_string(),
            "reason": self.reason,
            "detail": self.detail,
        });
        for (name, id) in [("user_id", &self.user_id), ("session_id", &self.session_id)] {
            if let Some(id) = id {
                skip[name] = id.as_str().into();
            }
        }
        skip
    }

    fn text(&self) -> String {
        let mut text = self.at.to_string();
        for (name, id) in [("user", &self.user_id), ("session", &self.session_id)] {
            if let Some(id) = id {
                let _ = write!(text, ", {name} {}", printable(id));
            }
        }
        format!("{text}: {}", printable(&self.detail))
    }
}

fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Place;

    fn skip(row: u64, reason: &'static str) -> Skip {
        Skip {
            at: Place::Row {
                row,
                line: Some(row),
            },
            user_id: Some("u\u{1b}".to_owned()),
            session_id: None,
            reason: reason.into(),
            detail: "why".to_owned(),
        }
    }

    #[test]
    fn a_flood_of_one_reason_is_cut_and_does_not_hide_another() {
        let mut report = Report::default();
        for row in 1..=20_000 {
            report.skip(skip(row, "no_slot"));
        }
        for row in 1..=30 {
            report.skip(skip(row, "internal"));
        }
        assert_eq!(report.failures(), 30);
        let json = report.json(false);
        assert_eq!(json["skipped"]["no_slot"], 20_000);
        assert_eq!(json["details"].as_array().unwrap().len(), 10_020);
        assert_eq!(json["details_left_out"], 10_010);
        let text = report.text(false);
        assert!(text.contains("skipped, internal: 30\n  line 1, user u\u{fffd}: why\n"));
        assert!(
            text.contains("  and 19980 more; --json lists more\n"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1 + 2 * 22);
    }
}
