//! The server's side of a backup: fixes the point in time, opens the files, and reads them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use streamgate_clock::Clock;
use streamgate_store::{Backup, BackupError, StoreError};

use crate::backup::frame::{FRAME_HEAD_BYTES, MARK, PIECE_BYTES, framed_len, seal};
use crate::backup::manifest::{BackupFile, Manifest};
use crate::disk::DiskFile;
use crate::format::FileKind;
use crate::log::WrittenEnd;
use crate::shared::{Needed, Shared};

/// How often the files are opened anew because a snapshot has replaced some meanwhile.
const TRIES_MAX: u32 = 5;

/// A backup of a running store: its files, open, and how far they were read.
#[derive(Debug)]
pub(crate) struct LogBackup {
    /// The mark and the manifest, until they are read.
    head: Option<Vec<u8>>,
    /// The files that were not read to their end yet, the next one last.
    files: Vec<(BackupFile, Box<dyn DiskFile>)>,
    /// How many bytes of the next file were read.
    offset: u64,
    total_bytes: u64,
    _place: Place,
}

/// The place of the one backup that a store makes at a time.
#[derive(Debug)]
struct Place(Arc<AtomicBool>);

impl Place {
    fn take(taken: &Arc<AtomicBool>) -> Result<Self, BackupError> {
        if taken.swap(true, Ordering::AcqRel) {
            return Err(BackupError::Running);
        }
        Ok(Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Begins a backup: waits until all that was appended is on disk, and opens the files.
pub(crate) fn begin(shared: &Shared, clock: &dyn Clock) -> Result<LogBackup, BackupError> {
    let place = Place::take(&shared.backup_running)?;
    for _ in 0..TRIES_MAX {
        let needed = *shared.needed.lock();
        match open(shared, clock, needed) {
            // A snapshot that finished meanwhile has removed files that it replaces.
            Err(BackupError::Io { cause, .. })
                if cause.kind() == io::ErrorKind::NotFound && *shared.needed.lock() != needed => {}
            opened => {
                return opened.map(|(manifest, files)| LogBackup::new(&manifest, files, place));
            }
        }
    }
    let why = "snapshots replace the files faster than they can be opened".to_owned();
    Err(StoreError::Unavailable(why).into())
}

/// A file of the backup, open.
type Opened = (BackupFile, Box<dyn DiskFile>);

/// Fixes the point in time and opens the files.
fn open(
    shared: &Shared,
    clock: &dyn Clock,
    needed: Needed,
) -> Result<(Manifest, Vec<Opened>), BackupError> {
    // First: a snapshot never holds more than the log up to a position that is read later.
    let mut files = Vec::new();
    if let Some(number) = needed.snapshot {
        files.push(open_file(shared, FileKind::Snapshot, number, None)?);
    }
    // The time before the position: so what was answered by then is in it.
    let time = i64::try_from(clock.now().time.as_millis()).unwrap_or(i64::MAX);
    let as_of_ms = time.saturating_add(clock.wall_offset_ms());
    let end = written_end(shared)?;
    for number in needed.snapshot.unwrap_or(1)..=end.segment {
        let content = (number == end.segment).then_some(end.offset);
        files.push(open_file(shared, FileKind::Segment, number, content)?);
    }
    let manifest = Manifest {
        as_of_ms: as_of_ms.try_into().unwrap_or(0),
        position: end.last,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        files: files.iter().map(|(file, _)| *file).collect(),
    };
    Ok((manifest, files))
}

/// Where the log ends, once all that was appended before this call is on disk.
fn written_end(shared: &Shared) -> Result<WrittenEnd, BackupError> {
    let queue = &shared.queue;
    queue.check()?;
    if !queue.sync_through(queue.appended()) {
        // A store that has ended says why.
        queue.check()?;
    }
    queue
        .written_end()
        .ok_or_else(|| StoreError::Unavailable("the store is not open yet".to_owned()).into())
}

/// Opens a file, of which `content` bytes count, or all.
fn open_file(
    shared: &Shared,
    kind: FileKind,
    number: u64,
    content: Option<u64>,
) -> Result<Opened, BackupError> {
    let name = kind.file_name(number);
    let opened = shared.disk.open(&name).and_then(|file| {
        let len = file.len()?;
        Ok((len, file))
    });
    let (len, file) = opened.map_err(|cause| BackupError::Io {
        doing: format!("opening {name}"),
        cause,
    })?;
    let file_of_backup = BackupFile {
        kind,
        number,
        content: content.unwrap_or(len),
        len,
        sum: None,
    };
    Ok((file_of_backup, file))
}

impl LogBackup {
    fn new(manifest: &Manifest, mut files: Vec<Opened>, place: Place) -> Self {
        let mut frame = vec![0; FRAME_HEAD_BYTES];
        frame.extend_from_slice(manifest.to_text().as_bytes());
        seal(&mut frame);
        let head = [MARK.as_slice(), &frame].concat();
        let framed = manifest.files.iter().map(|file| framed_len(file.content));
        let total_bytes = head.len() as u64 + framed.sum::<u64>();
        files.reverse();
        Self {
            head: Some(head),
            files,
            offset: 0,
            total_bytes,
            _place: place,
        }
    }
}

impl Backup for LogBackup {
    fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    fn next_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        let Some((listed, file)) = self.files.last() else {
            return Ok(None);
        };
        let left = listed.content - self.offset;
        let len = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let mut frame = vec![0; FRAME_HEAD_BYTES + len];
        file.read_at(&mut frame[FRAME_HEAD_BYTES..], self.offset)?;
        seal(&mut frame);
        self.offset += len as u64;
        if self.offset == listed.content {
            self.files.pop();
            self.offset = 0;
        }
        Ok(Some(frame))
    }
}
