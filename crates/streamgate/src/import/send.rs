//! Sending users to a server, a batch after the other. A batch is tried again while the server
//! cannot be reached: an import is idempotent, so nothing is counted twice.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar};
use serde::Deserialize;
use streamgate_clock::Stopwatch;
use ureq::http::Method;

use super::batch::Batch;
use super::{Each, Found, Report, Skip};
use crate::client::{Client, unexpected};
use crate::exit::Failure;
use crate::progress::Progress;

const PATH: &str = "/v1/import";

/// How long to wait before each further try: together as long as a server takes to restart.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Temporary refusals of a server, or of a proxy in front of it.
const TRY_AGAIN: [u16; 5] = [408, 429, 502, 503, 504];

/// What to do after an import that stopped.
pub(crate) const RUN_AGAIN: &str = "run it again: what was imported is not counted twice";

/// Sends an empty import, so that a wrong server or key fails before the first batch.
pub(crate) fn ask(client: &Client) -> Result<(), Failure> {
    let answer = client.send(&Method::POST, PATH, Some(&Batch::default().body()))?;
    let refusal = || client.refusal(&answer);
    match answer.status {
        200 => Ok(()),
        403 => Err(refusal()
            .hint("importing needs a key of scope admin: `streamgate key new --scope admin`")),
        404 | 405 => {
            Err(refusal().hint("is the server older than this command? it knows no imports"))
        }
        _ => Err(refusal()),
    }
}

/// Sends the users that `read` finds. The report counts what was done, also if the import stopped.
pub(crate) fn send(
    client: &Client,
    total: Option<u64>,
    read: impl FnOnce(&mut Each<'_>) -> Result<(), Failure>,
) -> (Report, Result<(), Failure>) {
    let mut sender = Sender {
        client,
        progress: match total {
            Some(total) => Progress::new(ProgressBar::new(total), "{wide_bar} {msg}, {eta} left"),
            None => Progress::new(ProgressBar::new_spinner(), "{spinner} {msg}"),
        },
        total,
        since_start: Stopwatch::start(),
        report: Report::default(),
    };
    let mut batch = Batch::default();
    let read = read(&mut |found| match found {
        Found::User(user) => match batch.add(user) {
            // After a failure, nothing more is sent.
            Some(full) => sender
                .import(full)
                .inspect_err(|_| batch = Batch::default()),
            None => Ok(()),
        },
        other => {
            sender.report.count(other);
            Ok(())
        }
    });
    // The users before a fault of the file are imported.
    let sent = sender.import(batch);
    sender.progress.end();
    (sender.report, sent.and(read))
}

struct Sender<'a> {
    client: &'a Client,
    progress: Progress,
    total: Option<u64>,
    since_start: Stopwatch,
    report: Report,
}

/// An answer to an import.
#[derive(Deserialize)]
struct Imported {
    users: u64,
    started: u64,
    already_live: u64,
    skipped: Vec<Skipped>,
}

#[derive(Deserialize)]
struct Skipped {
    index: usize,
    session_id: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    detail: String,
}

/// Users to send again, and why.
struct Left {
    batch: Batch,
    why: Why,
}

enum Why {
    /// The call failed as a whole.
    Failed(Failure),
    /// The store failed for these users.
    Store(Vec<Skip>),
}

impl Sender<'_> {
    /// Imports a batch, with several tries.
    fn import(&mut self, mut batch: Batch) -> Result<(), Failure> {
        if batch.users.is_empty() {
            return Ok(());
        }
        let mut pauses = PAUSES.iter();
        loop {
            let Some(left) = self.call(batch)? else {
                return Ok(());
            };
            let Some(pause) = pauses.next() else {
                return self.give_up(left);
            };
            self.progress.note(&format!(
                "the server cannot be used now; trying again in {pause:?}"
            ));
            #[expect(
                clippy::disallowed_methods,
                reason = "no event tells that a server of elsewhere can be used again"
            )]
            std::thread::sleep(*pause);
            batch = left.batch;
        }
    }

    /// Sends a batch once. Returns what is to be sent again.
    fn call(&mut self, batch: Batch) -> Result<Option<Left>, Failure> {
        let failure = match self.client.send(&Method::POST, PATH, Some(&batch.body())) {
            Ok(answer) if answer.status == 200 => {
                let imported = Imported::deserialize(&answer.body);
                return self.count(batch, imported.map_err(|_| unexpected(self.client))?);
            }
            Ok(answer) if TRY_AGAIN.contains(&answer.status) => self.client.refusal(&answer),
            Ok(answer) => return Err(self.client.refusal(&answer)),
            Err(failure) => failure,
        };
        let why = Why::Failed(failure);
        Ok(Some(Left { batch, why }))
    }

    /// Counts the users of an answer. Returns those for which the store failed.
    fn count(&mut self, batch: Batch, imported: Imported) -> Result<Option<Left>, Failure> {
        self.report.users += imported.users;
        self.report.started += imported.started;
        self.report.already_live += imported.already_live;
        let (mut places, mut again) = (Vec::new(), Vec::new());
        for skipped in imported.skipped {
            let user = batch.users.get(skipped.index);
            let user = user.ok_or_else(|| unexpected(self.client))?;
            let skip = Skip {
                at: user.at.clone(),
                user_id: Some(user.user_id.clone()),
                session_id: skipped.session_id,
                reason: skipped.reason.into(),
                detail: skipped.detail,
            };
            if matches!(&*skip.reason, "store_unavailable" | "store_full") {
                places.push(skipped.index);
                again.push(skip);
            } else {
                self.report.skip(skip);
            }
        }
        self.advance(batch.users.len() - places.len());
        if again.is_empty() {
            return Ok(None);
        }
        let (batch, why) = (batch.only(&places), Why::Store(again));
        Ok(Some(Left { batch, why }))
    }

    /// Ends the tries. If the store failed for some users only, the import goes on with the next.
    fn give_up(&mut self, left: Left) -> Result<(), Failure> {
        match left.why {
            Why::Failed(failure) => Err(failure.hint(RUN_AGAIN)),
            Why::Store(skips) => {
                self.advance(left.batch.users.len());
                skips.into_iter().for_each(|skip| self.report.skip(skip));
                Ok(())
            }
        }
    }

    /// Shows that so many more users are done.
    fn advance(&self, users: usize) {
        let bar = &self.progress.bar;
        bar.inc(users as u64);
        let rate = bar.position() / self.since_start.elapsed().as_secs().max(1);
        self.progress.show(line(bar.position(), self.total, rate));
    }
}

fn line(done: u64, total: Option<u64>, rate: u64) -> String {
    let (done, rate) = (HumanCount(done), HumanCount(rate));
    let of = total.map(|total| format!(" of {}", HumanCount(total)));
    format!("{done}{} users, {rate} a second", of.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_many_of_how_many() {
        let said = line(12_000, Some(1_000_000), 1_500);
        assert_eq!(said, "12,000 of 1,000,000 users, 1,500 a second");
        assert_eq!(line(0, None, 0), "0 users, 0 a second");
    }
}
