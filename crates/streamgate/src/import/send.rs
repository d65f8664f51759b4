//! Sending users to a server: a few batches under way at once, each tried again while the server
//! cannot be reached. What is sent twice is not counted twice, so that is safe.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, LockResult, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Method;

use super::batch::Batch;
use super::progress::Progress;
use super::{Each, Found, Report, Skip};
use crate::client::{Answer, Client, text_of, unexpected};
use crate::exit::{Code, Failure};

const PATH: &str = "/v1/import";

/// How many batches are under way at once. The server writes what comes together to disk together.
const WORKERS: usize = 4;

/// How many batches wait for a worker.
const WAITING: usize = 2;

/// How long to wait before each further try: together as long as a server takes to start again.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// What a server, or a proxy in front of it, answers that may be otherwise a little later.
const TRY_AGAIN: [u16; 5] = [408, 429, 502, 503, 504];

/// What to do after an import that stopped.
pub(crate) const RUN_AGAIN: &str = "run it again: what was imported is not counted twice";

/// Asks a server, with no users, whether it would take some: at once where it is wrong, and not in
/// the middle.
pub(crate) fn ask(client: &Client) -> Result<(), Failure> {
    let answer = client.send(&Method::POST, PATH, Some(&Batch::default().body()))?;
    match answer.status {
        200 => Ok(()),
        403 => Err(client
            .refusal(&answer)
            .hint("importing needs a key of scope admin: `streamgate key new --scope admin`")),
        404 | 405 => Err(client
            .refusal(&answer)
            .hint("is the server older than this command? it knows no imports")),
        _ => Err(client.refusal(&answer)),
    }
}

/// Sends what `read` finds. The report holds what was done, also where the import stopped early.
pub(crate) fn send(
    client: &Client,
    total: Option<u64>,
    read: impl FnOnce(&mut Each<'_>) -> Result<(), Failure>,
) -> (Report, Result<(), Failure>) {
    let sending = Sending {
        client,
        progress: Progress::of(total),
        report: Mutex::default(),
        failure: Mutex::default(),
        failed: Condvar::new(),
    };
    let read = thread::scope(|scope| {
        let sending = &sending;
        let (batches, waiting) = sync_channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..WORKERS {
            let waiting = Arc::clone(&waiting);
            scope.spawn(move || sending.work(&waiting));
        }
        // Held by the workers only: once all have left, no batch can be handed over any more.
        drop(waiting);
        let mut batch = Batch::default();
        let read = read(&mut |found| {
            let user = match found {
                Found::User(user) => user,
                Found::Nothing => {
                    lock(&sending.report).nothing();
                    return Ok(());
                }
                Found::Skip(skip) => {
                    lock(&sending.report).skip(skip);
                    return Ok(());
                }
            };
            match batch.add(user) {
                Some(full) => batches.send(full).map_err(|_| workers_left()),
                None => Ok(()),
            }
        });
        // What was found before a fault is imported, too.
        if !batch.users.is_empty() {
            // It fails where the workers have left, who have said why.
            let _ = batches.send(batch);
        }
        read
    });
    sending.progress.end();
    let failure = unpoisoned(sending.failure.into_inner());
    let result = failure.map_or(read, Err);
    (unpoisoned(sending.report.into_inner()), result)
}

/// What the workers share.
struct Sending<'a> {
    client: &'a Client,
    progress: Progress,
    report: Mutex<Report>,
    /// Why no more is sent.
    failure: Mutex<Option<Failure>>,
    failed: Condvar,
}

/// What was not imported yet, and why.
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

impl Sending<'_> {
    /// Imports batches until there are no more.
    fn work(&self, waiting: &Mutex<Receiver<Batch>>) {
        loop {
            // Who waits for a batch holds the lock; the others wait for the lock.
            let Ok(batch) = lock(waiting).recv() else {
                return;
            };
            if lock(&self.failure).is_some() {
                return;
            }
            if let Err(failure) = self.import(batch) {
                *lock(&self.failure) = Some(failure);
                self.failed.notify_all();
                return;
            }
        }
    }

    /// Imports a batch, with several tries.
    fn import(&self, mut batch: Batch) -> Result<(), Failure> {
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
            let failure = lock(&self.failure);
            let wait = self
                .failed
                .wait_timeout_while(failure, *pause, |it| it.is_none());
            if unpoisoned(wait).0.is_some() {
                return Ok(());
            }
            batch = left.batch;
        }
    }

    /// Sends a batch once, and tells what is left of it for another try.
    fn call(&self, batch: Batch) -> Result<Option<Left>, Failure> {
        let failed = match self.client.send(&Method::POST, PATH, Some(&batch.body())) {
            Ok(answer) if answer.status == 200 => return self.tally(batch, &answer),
            Ok(answer) if TRY_AGAIN.contains(&answer.status) => self.client.refusal(&answer),
            Ok(answer) => return Err(self.client.refusal(&answer)),
            Err(failure) => failure,
        };
        let why = Why::Failed(failed);
        Ok(Some(Left { batch, why }))
    }

    /// Counts what an answer says.
    fn tally(&self, batch: Batch, answer: &Answer) -> Result<Option<Left>, Failure> {
        let number = |name| answer.body.get(name).and_then(Value::as_u64);
        let skipped = answer.body.get("skipped").and_then(Value::as_array);
        let (Some(users), Some(started), Some(already_live), Some(skipped)) = (
            number("users"),
            number("started"),
            number("already_live"),
            skipped,
        ) else {
            return Err(unexpected(self.client));
        };
        let mut report = lock(&self.report);
        report.users += users;
        report.started += started;
        report.already_live += already_live;
        let (mut places, mut again) = (Vec::new(), Vec::new());
        for skipped in skipped {
            let place = skipped.get("index").and_then(Value::as_u64);
            let place = place.and_then(|place| usize::try_from(place).ok());
            let user = place.and_then(|place| Some((place, batch.users.get(place)?)));
            let Some((place, user)) = user else {
                return Err(unexpected(self.client));
            };
            let skip = Skip {
                at: user.at.clone(),
                user_id: Some(user.user_id.clone()),
                session_id: skipped
                    .get("session_id")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                reason: text_of(skipped, "reason").to_owned().into(),
                detail: text_of(skipped, "detail").to_owned(),
            };
            if matches!(&*skip.reason, "store_unavailable" | "store_full") {
                places.push(place);
                again.push(skip);
            } else {
                report.skip(skip);
            }
        }
        drop(report);
        self.progress.add((batch.users.len() - places.len()) as u64);
        if again.is_empty() {
            return Ok(None);
        }
        let (batch, why) = (batch.only(&places), Why::Store(again));
        Ok(Some(Left { batch, why }))
    }

    /// What comes of users for whom there is no further try. If the store failed for some only, the
    /// others need not wait for them.
    fn give_up(&self, left: Left) -> Result<(), Failure> {
        match left.why {
            Why::Failed(failure) => Err(failure.hint(RUN_AGAIN)),
            Why::Store(skips) => {
                self.progress.add(skips.len() as u64);
                let mut report = lock(&self.report);
                skips.into_iter().for_each(|skip| report.skip(skip));
                Ok(())
            }
        }
    }
}

/// Ends the reading; the workers have said why they left.
fn workers_left() -> Failure {
    Failure::new(Code::Problem, "the import stopped")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// What a lock holds, even if another thread panicked with it: that panic ends the import anyway.
fn unpoisoned<T>(locked: LockResult<T>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}
