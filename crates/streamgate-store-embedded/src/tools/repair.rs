//! `streamgate store repair`: makes a damaged directory usable again.
//!
//! Everything readable is written into a new snapshot. The old files are moved, unchanged, into a
//! subdirectory; nothing is deleted.

use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::backup;
use crate::disk::{Disk, RealDisk};
use crate::error::{Damage, OpenError};
use crate::fatal::FatalError;
use crate::log::segment::Segment;
use crate::snapshot::{UnfinishedSnapshot, remove_before};
use crate::tools::inspect::{Inspected, inspect};
use crate::tools::report::Count;

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairReport {
    /// The directory.
    pub dir: PathBuf,
    /// All damage; if it is empty, nothing was done.
    pub problems: Vec<Damage>,
    /// Changes of the log that are lost: from and to, both included.
    pub lost: Vec<(u64, u64)>,
    /// Users whose records were kept.
    pub users: u64,
    /// Where the old files are now.
    pub set_aside: Option<PathBuf>,
}

/// The size of the segment that a repair creates. The next one is as configured.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Makes a directory usable again, with everything in it that is readable.
///
/// # Errors
/// [`OpenError`] if the directory is in use, cannot be read or written, or is newer than this
/// program. A repair that failed can be run again.
pub fn repair(dir: &Path) -> Result<RepairReport, OpenError> {
    let found = inspect(dir)?;
    backup::refuse(&found.disk)?;
    let mut report = RepairReport {
        dir: dir.to_owned(),
        users: found.table.records(),
        problems: Vec::new(),
        lost: Vec::new(),
        set_aside: None,
    };
    if found.problems.is_empty() {
        return Ok(report);
    }
    // The old files get a second name, then the snapshot gets its name, and only then do they lose
    // their first name: so a crash at any moment loses nothing.
    report.set_aside = Some(set_aside(&found)?);
    replace(&found)?;
    report.problems = found.problems;
    report.lost = found.lost;
    Ok(report)
}

/// Gives every file a second name in a new directory.
fn set_aside(found: &Inspected) -> Result<PathBuf, OpenError> {
    let (disk, dir) = (&found.disk, found.disk.path());
    let aside = (1_u32..)
        .map(|number| dir.join(format!("damaged-{number}")))
        .find(|path| !path.exists())
        .expect("there is always a next number");
    let link = || -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(&aside)?;
        for (name, ..) in &found.files {
            std::fs::hard_link(dir.join(name), aside.join(name))?;
        }
        RealDisk::existing(&aside)?.sync_dir()?;
        disk.sync_dir()
    };
    link().map_err(|cause| OpenError::io("setting files aside in", &aside, cause))?;
    Ok(aside)
}

/// Replaces all files by a snapshot of what is readable.
fn replace(found: &Inspected) -> Result<(), FatalError> {
    let disk = &found.disk;
    let (number, position) = (found.next_number, found.next_lsn - 1);
    Segment::create(disk, number, SEGMENT_BYTES, found.table.seed())?;
    let unfinished = UnfinishedSnapshot::create(disk, &found.table, number, found.next_lsn)?;
    let copied = unfinished.copy(&found.table, || Some(position))?;
    copied.expect("nothing ends the copying").give_name(disk)?;
    remove_before(disk, number)
}

impl fmt::Display for RepairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        let Some(aside) = &self.set_aside else {
            return write!(f, "{dir}: nothing is damaged, nothing was done");
        };
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        for (from, to) in &self.lost {
            writeln!(f, "lost: changes {from} to {to} of the log")?;
        }
        write!(
            f,
            "{dir}: {} kept; the files that were there are in {}",
            Count(self.users, "user"),
            aside.display()
        )
    }
}
