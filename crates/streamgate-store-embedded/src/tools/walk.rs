//! Walks over everything in a data directory and keeps what is whole.
//!
//! Unlike recovery it does not stop at the first damage. It agrees with recovery otherwise: where
//! it finds no problem the directory opens, and holds what was found here.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use streamgate_core::codec::{self, CodecError};

use crate::disk::{Disk, DiskFile};
use crate::error::{Damage, OpenError};
use crate::format::{FORMAT_VERSION, FileHeader, FileKind, HEADER_BYTES, HeaderError, salt};
use crate::log::Lsn;
use crate::log::frame::{Batch, Piece, pieces};
use crate::recovery::codec_damage;
use crate::snapshot::read::{Next, SnapshotReader, payload, sections};
use crate::table::hash::HashSeed;
use crate::table::{SHARDS, Table, shard_index};

/// What was found in a directory.
pub(super) struct Walk {
    /// Everything that is whole.
    pub(super) table: Table,
    pub(super) problems: Vec<Damage>,
    /// Records of the log that are lost: from and to, both included.
    pub(super) lost: Vec<(Lsn, Lsn)>,
    /// The torn tail, which the next start cuts.
    pub(super) torn: Option<Damage>,
    /// The number of the snapshot and how many records it has.
    pub(super) snapshot: Option<(u64, u64)>,
    pub(super) log_records: u64,
    /// Live sessions in the records.
    pub(super) live_sessions: u64,
    /// Names, kinds and lengths of the files.
    pub(super) files: Vec<(String, FileKind, u64)>,
    /// Above all numbers of files.
    pub(super) next_number: u64,
    /// Above all positions of records.
    pub(super) next_lsn: Lsn,
}

/// A file, and its header unless that is damaged.
struct Found {
    name: String,
    file: Box<dyn DiskFile>,
    header: Option<FileHeader>,
}

type Files = BTreeMap<(FileKind, u64), Found>;

/// Reads a whole directory.
pub(super) fn walk(disk: &dyn Disk) -> Result<Walk, OpenError> {
    let mut problems = Vec::new();
    let files = find(disk, &mut problems)?;
    let seed = files
        .values()
        .find_map(|found| found.header)
        .map(|header| header.seed);
    let mut walker = Walker {
        disk,
        walk: Walk {
            table: Table::new(seed.unwrap_or_else(HashSeed::random)),
            problems,
            lost: Vec::new(),
            torn: None,
            snapshot: None,
            log_records: 0,
            live_sessions: 0,
            files: Vec::new(),
            next_number: 1,
            next_lsn: 1,
        },
        copied_at: vec![0; SHARDS],
        proven: 0,
        in_rubble: false,
        newer: None,
    };
    walker.list(&files)?;
    let from = walker.snapshot(&files)?;
    walker.log(&files, from)?;
    walker.records();
    // No damage, and nothing to set aside: the newer version reads it.
    match walker.newer {
        Some((name, error)) => {
            let path = disk.path().join(name);
            Err(codec_damage(error, disk.path(), &path, None))
        }
        None => Ok(walker.walk),
    }
}

/// Opens every file of the store and checks its header.
fn find(disk: &dyn Disk, problems: &mut Vec<Damage>) -> Result<Files, OpenError> {
    let mut files = Files::new();
    let names = disk
        .list()
        .map_err(|cause| OpenError::io("listing", disk.path(), cause))?;
    for name in names {
        let Some((kind, number)) = FileKind::parse_name(&name) else {
            continue;
        };
        let path = disk.path().join(&name);
        let file = disk
            .open(&name)
            .map_err(|cause| OpenError::io("opening", &path, cause))?;
        let bytes = read(&*file, HEADER_BYTES as u64)
            .map_err(|cause| OpenError::io("reading", &path, cause))?;
        let mut problem = |offset, what: &str| {
            problems.push(Damage {
                path: path.clone(),
                offset: Some(offset),
                what: what.to_owned(),
            });
        };
        let header = match FileHeader::decode(kind, &bytes) {
            Ok(header) if header.number == number => Some(header),
            Ok(_) => {
                problem(0, "the file has the name of another one");
                None
            }
            Err(HeaderError::Damaged(what)) => {
                problem(0, what);
                None
            }
            Err(HeaderError::Newer(found)) => {
                let known = FORMAT_VERSION;
                return Err(OpenError::NewerFormat { path, found, known });
            }
        };
        let len = file
            .len()
            .map_err(|cause| OpenError::io("reading", &path, cause))?;
        if header.is_some_and(|header| len < header.capacity) {
            problem(len, "the file has been cut off");
        }
        files.insert((kind, number), Found { name, file, header });
    }
    Ok(files)
}

/// The first bytes of a file, as many as there are up to `max`.
fn read(file: &dyn DiskFile, max: u64) -> std::io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?.min(max)).expect("a file fits into memory");
    let mut bytes = vec![0; len];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// The position of the next record, where the header that says it is lost.
const UNKNOWN: Lsn = 0;

struct Walker<'a> {
    disk: &'a dyn Disk,
    walk: Walk,
    /// For each shard, up to which position its copy in the snapshot goes.
    copied_at: Vec<Lsn>,
    /// Everything up to here had been on disk.
    proven: Lsn,
    /// The piece before was rubble.
    in_rubble: bool,
    /// The file in which a record of a newer version was found first, and which version.
    newer: Option<(String, CodecError)>,
}

impl Walker<'_> {
    /// Adds a problem.
    fn problem(&mut self, name: &str, offset: Option<u64>, what: impl Into<String>) {
        let path = self.disk.path().join(name);
        let what = what.into();
        self.walk.problems.push(Damage { path, offset, what });
    }

    /// Notes a record of a newer version; `false` where the record is damaged instead.
    fn is_newer(&mut self, name: &str, error: CodecError) -> bool {
        let is_newer = matches!(error, CodecError::NewerVersion(_));
        if is_newer {
            self.newer.get_or_insert_with(|| (name.to_owned(), error));
        }
        is_newer
    }

    fn io_error(&self, name: &str) -> impl FnOnce(std::io::Error) -> OpenError + use<> {
        let path = self.disk.path().join(name);
        move |cause| OpenError::io("reading", &path, cause)
    }

    /// Notes names and lengths, and files that do not belong here.
    fn list(&mut self, files: &Files) -> Result<(), OpenError> {
        let seed = self.walk.table.seed();
        for ((kind, number), found) in files {
            let len = found.file.len().map_err(self.io_error(&found.name))?;
            self.walk.files.push((found.name.clone(), *kind, len));
            self.walk.next_number = self.walk.next_number.max(number + 1);
            if found.header.is_some_and(|header| header.seed != seed) {
                self.problem(
                    &found.name,
                    Some(0),
                    "the file belongs to another data directory",
                );
            }
        }
        Ok(())
    }

    /// Loads the newest snapshot. Returns the number of the first segment behind it.
    fn snapshot(&mut self, files: &Files) -> Result<u64, OpenError> {
        let mut snapshots = files.range((FileKind::Snapshot, 0)..).rev();
        let Some(((_, newest), _)) = snapshots.clone().next() else {
            return Ok(1);
        };
        // An older one, which is there only while a newer one takes its place, serves where the
        // newer one has lost its header.
        let Some((number, found, header)) =
            snapshots.find_map(|((_, number), found)| Some((*number, found, found.header?)))
        else {
            self.walk.next_lsn = UNKNOWN;
            return Ok(*newest);
        };
        let error = |walker: &Self| walker.io_error(&found.name);
        let mut reader = SnapshotReader::new(&*found.file, &header).map_err(error(self))?;
        self.walk.next_lsn = header.log_from;
        loop {
            match reader.next().map_err(error(self))? {
                Next::Block { offset, bytes } => self.block(&found.name, offset, payload(&bytes)),
                Next::End(end) => {
                    self.proven = end.position;
                    break;
                }
                Next::Damage { offset, what } => {
                    self.problem(&found.name, Some(offset), what);
                    if !reader.skip_damage().map_err(error(self))? {
                        break;
                    }
                }
            }
        }
        self.walk.snapshot = Some((number, self.walk.table.records()));
        Ok(number)
    }

    /// Takes the records of one block of the snapshot.
    fn block(&mut self, name: &str, offset: u64, payload: &[u8]) {
        let (table, copied_at) = (&self.walk.table, &mut self.copied_at);
        let read = sections(
            payload,
            |section| {
                if let Some(position) = copied_at.get_mut(section.shard) {
                    *position = section.position;
                }
            },
            |key, record| put(table, key, Some(record)),
        );
        if let Err(what) = read {
            self.problem(name, Some(offset), what);
        }
    }

    /// Applies the segments from number `from` on.
    fn log(&mut self, files: &Files, from: u64) -> Result<(), OpenError> {
        let numbers: BTreeSet<u64> = files
            .range((FileKind::Segment, from)..(FileKind::Snapshot, 0))
            .map(|((_, number), _)| *number)
            .collect();
        let expected_to = numbers.last().copied().or(self.walk.snapshot.map(|_| from));
        for number in expected_to.into_iter().flat_map(|to| from..=to) {
            if !numbers.contains(&number) {
                let name = FileKind::Segment.file_name(number);
                self.problem(&name, None, "the file is missing");
            }
        }
        let mut segments = Vec::new();
        for number in numbers {
            let found = &files[&(FileKind::Segment, number)];
            let bytes = read(&*found.file, u64::MAX).map_err(self.io_error(&found.name))?;
            let salt = salt(self.walk.table.seed(), FileKind::Segment, number);
            let pieces: Vec<Piece> = pieces(&bytes, HEADER_BYTES.min(bytes.len()), salt).collect();
            segments.push((found.name.as_str(), bytes, pieces));
        }
        // What had been on disk is known before anything is judged: so a tail is torn only where no
        // batch anywhere, and no snapshot, says otherwise.
        let batches = segments
            .iter()
            .flat_map(|(_, _, pieces)| pieces)
            .filter_map(|piece| {
                let Piece::Batch(batch) = piece else {
                    return None;
                };
                Some(batch.synced)
            });
        self.proven = batches.max().unwrap_or(0).max(self.proven);
        for (name, bytes, pieces) in &segments {
            for piece in pieces {
                self.piece(name, bytes, piece);
            }
        }
        self.walk.next_lsn = self.walk.next_lsn.max(1);
        if self.walk.next_lsn <= self.proven {
            let (next, proven) = (self.walk.next_lsn, self.proven);
            let name = segments.last().map_or("", |(name, ..)| name);
            self.problem(
                name,
                None,
                format!("the log ends before record {next}, not {proven}"),
            );
            self.walk.lost.push((next, proven));
            self.walk.next_lsn = proven + 1;
        }
        Ok(())
    }

    /// Judges one piece of the log as recovery does, but goes on behind damage.
    fn piece(&mut self, name: &str, bytes: &[u8], piece: &Piece) {
        if self.walk.torn.is_some() {
            return;
        }
        if let (UNKNOWN, Piece::Batch(batch)) = (self.walk.next_lsn, piece) {
            self.walk.next_lsn = batch.first;
        }
        let next = self.walk.next_lsn;
        let (offset, what) = match piece {
            Piece::Batch(batch) if batch.first == next => return self.apply(name, bytes, batch),
            Piece::Batch(batch) => (
                batch.offset,
                format!("record {next} should follow, record {} does", batch.first),
            ),
            Piece::Rubble { offset, what, .. } => (*offset, (*what).to_owned()),
        };
        let offset = Some(offset as u64);
        if next > self.proven {
            let path = self.disk.path().join(name);
            self.walk.torn = Some(Damage { path, offset, what });
            return;
        }
        // A gap behind rubble is what the rubble was.
        if !std::mem::replace(&mut self.in_rubble, matches!(piece, Piece::Rubble { .. })) {
            self.problem(name, offset, what);
        }
        if let Piece::Batch(batch) = piece
            && batch.first > next
        {
            self.walk.lost.push((next, batch.first - 1));
            self.apply(name, bytes, batch);
        }
    }

    /// Applies the records of a batch. Those of users whose earlier records are lost may find
    /// nothing to change; events of sessions that a ledger does not have change nothing.
    fn apply(&mut self, name: &str, bytes: &[u8], batch: &Batch) {
        self.in_rubble = false;
        self.walk.next_lsn = batch.next();
        self.walk.log_records += u64::from(batch.records);
        let offset = Some(batch.offset as u64);
        for record in batch.records(bytes) {
            let (lsn, key, delta) = match record {
                Ok(record) => record,
                Err(what) => return self.problem(name, offset, what),
            };
            let hash = self.walk.table.hash(key);
            if lsn <= self.copied_at[shard_index(hash)] {
                continue;
            }
            let apply = |record: Option<&[u8]>| codec::apply_delta(record, delta);
            if let Err(error) = self.walk.table.update(hash, key, apply)
                && !self.is_newer(name, error)
            {
                self.problem(
                    name,
                    offset,
                    format!("record {lsn} cannot be read: {error}"),
                );
                self.walk.lost.push((lsn, lsn));
            }
        }
    }

    /// Reads every record, and leaves out those that cannot be read.
    fn records(&mut self) {
        let mut unreadable = Vec::new();
        for shard in self.walk.table.shards() {
            for entry in &shard.lock().entries {
                match codec::decode_ledger(entry.record()) {
                    Ok(ledger) => self.walk.live_sessions += ledger.live.len() as u64,
                    Err(error) => unreadable.push((entry.key().to_vec(), error)),
                }
            }
        }
        for (key, error) in unreadable {
            if self.is_newer("", error) {
                continue;
            }
            put(&self.walk.table, &key, None);
            let user = String::from_utf8_lossy(&key).replace('\0', "/");
            self.problem(
                "",
                None,
                format!("the record of {user} cannot be read: {error}"),
            );
        }
    }
}

/// Puts a record into the table, or takes it out.
fn put(table: &Table, key: &[u8], record: Option<&[u8]>) {
    let set = |_: Option<&[u8]>| Ok::<_, Infallible>(record.map(<[u8]>::to_vec));
    let Ok(()) = table.update(table.hash(key), key, set);
}
