//! The state that the store and its threads share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::config::EmbeddedConfig;
use crate::disk::{Disk, FileId};
use crate::fatal::{FatalError, OnFatal};
use crate::format::FileKind;
use crate::lock::LOCK_FILE;
use crate::log::prepare::PreparedSegments;
use crate::log::progress::Steps;
use crate::log::queue::Queue;
use crate::log::room::Level;
use crate::observer::LogObserver;
use crate::table::Table;

/// The state that the store and its threads share.
pub(crate) struct Shared {
    /// The settings, within bounds.
    pub(crate) config: EmbeddedConfig,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) table: Table,
    pub(crate) queue: Queue,
    /// How far the commit writer is.
    pub(crate) steps: Steps,
    /// Prepared segments.
    pub(crate) prepared: PreparedSegments,
    pub(crate) observer: Arc<dyn LogObserver>,
    pub(crate) on_fatal: OnFatal,
    /// A snapshot is being written.
    pub(crate) snapshot_running: AtomicBool,
    /// A snapshot found no room and is retried with the next segment.
    pub(crate) snapshot_owed: AtomicBool,
    /// A backup is being read.
    pub(crate) backup_running: Arc<AtomicBool>,
    /// The files that a restart needs.
    pub(crate) needed: Mutex<Needed>,
}

/// The files that a restart needs. They are checked while the store runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needed {
    /// The lock file, if there is one: without it another process could open the directory.
    pub(crate) lock: Option<FileId>,
    /// The number of the snapshot, if there is one.
    pub(crate) snapshot: Option<u64>,
    /// The number of the segment in use, and its file id.
    pub(crate) segment: (u64, Option<FileId>),
}

impl Needed {
    /// Checks that all files are there.
    fn check(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.check_in_place()?;
        if self.lock.is_some() {
            check_same_file(disk, LOCK_FILE, self.lock)?;
        }
        let (current, id) = self.segment;
        for number in self.snapshot.unwrap_or(1)..current {
            check_same_file(disk, &FileKind::Segment.file_name(number), None)?;
        }
        if let Some(number) = self.snapshot {
            check_same_file(disk, &FileKind::Snapshot.file_name(number), None)?;
        }
        check_same_file(disk, &FileKind::Segment.file_name(current), id)
    }
}

/// Checks that a file with this name exists and, if `id` is known, is that file.
fn check_same_file(disk: &dyn Disk, name: &str, id: Option<FileId>) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    let found = disk.id_of(name).map_err(named)?;
    if id.is_some() && found.is_some() && found != id {
        let what = format!("another file has the name {name}");
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    Ok(())
}

impl Shared {
    /// Ends the store after a failure, and reports it once.
    pub(crate) fn fail(&self, mut error: FatalError) {
        // A failed write can be the first sign.
        error.gone |= self.check_in_place().is_err();
        if !self
            .queue
            .fail(format!("{error}; the store has stopped acknowledging"))
        {
            return;
        }
        self.prepared.stop();
        tracing::error!(%error, "the store failed");
        (self.on_fatal)(error);
        self.queue.reported();
    }

    /// Checks that the directory and all files that a restart needs are still there.
    pub(crate) fn check_in_place(&self) -> Result<(), FatalError> {
        let needed = *self.needed.lock();
        let Err(error) = needed.check(&*self.disk) else {
            return Ok(());
        };
        // Other errors, such as those of a parent directory, say nothing about the files.
        let is_gone = matches!(
            error.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::StaleNetworkFileHandle
        );
        // A snapshot that finished meanwhile has removed files that are not needed any more.
        if !is_gone || *self.needed.lock() != needed {
            return Ok(());
        }
        let doing = format!("looking after {}", self.disk.path().display());
        let mut error = FatalError::new(doing, error);
        error.gone = true;
        Err(error)
    }

    /// Sets how much room the log has. Logs a change between full and not full.
    pub(crate) fn set_room(&self, level: Level) {
        let before = self.queue.room.set(level);
        if (before == Level::Plenty) == (level == Level::Plenty) {
            return;
        }
        let (is_full, dir) = (level != Level::Plenty, self.disk.path().display());
        if is_full {
            tracing::warn!(
                %dir,
                "the disk is full: starts are answered 503 store_full; stops, heartbeats and lists \
                 go on in the reserve that was kept for them. Make room; no restart is needed"
            );
        } else {
            tracing::info!(%dir, "the disk has room again: starts are admitted");
        }
        self.observer.full(is_full);
    }
}
