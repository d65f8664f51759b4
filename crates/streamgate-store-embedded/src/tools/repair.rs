//! `streamgate store repair`: keeps everything that is whole, sets everything else aside.
//!
//! What is whole is written into a new snapshot. All files that were there go, as they are, into a
//! directory of their own within the data directory; nothing is ever deleted.

use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, RealDisk};
use crate::error::{Damage, OpenError};
use crate::fatal::FatalError;
use crate::log::segment::Segment;
use crate::snapshot::{Unnamed, remove_before};
use crate::tools::inspect::{Inspected, inspect};
use crate::tools::report::Count;

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairReport {
    /// The directory.
    pub dir: PathBuf,
    /// What was wrong; empty where nothing was, and then nothing was done.
    pub problems: Vec<Damage>,
    /// Changes of the log that are lost: from and to, both included.
    pub lost: Vec<(u64, u64)>,
    /// Users that were kept.
    pub users: u64,
    /// Where the files are that were there before.
    pub set_aside: Option<PathBuf>,
}

/// A segment that a repair makes has this size; the next one is as the configuration says.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Makes a directory open again, with everything in it that is whole.
///
/// # Errors
/// [`OpenError`] where the directory is in use, cannot be read or written, or is newer than this
/// program. It can be run again then.
pub fn repair(dir: &Path) -> Result<RepairReport, OpenError> {
    let found = inspect(dir)?;
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
    // The files get a second name first, then the snapshot its place, and only then do they lose
    // their first name: a crash at any moment leaves everything reachable.
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

/// Puts a snapshot of what is whole in the place of all other files.
fn replace(found: &Inspected) -> Result<(), FatalError> {
    let disk = &found.disk;
    let (number, position) = (found.next_number, found.next_lsn - 1);
    Segment::create(disk, number, SEGMENT_BYTES, found.table.seed())?;
    let unnamed = Unnamed::create(disk, &found.table, number, found.next_lsn)?;
    let copied = unnamed.copy(&found.table, || Some(position))?;
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
