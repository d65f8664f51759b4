//! The file system as the store sees it. Tests replace it by a simulated disk that loses power.
//!
//! Everything that the store reads or writes goes through these two traits. They promise what POSIX
//! promises: a write is on disk after `sync_data`, a name after `sync_dir`, and nothing before.
//! Errors are those of the operating system.

use std::fmt;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The identity of a file or directory: device and inode. A name can be given to another file; a
/// file keeps its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
        }
    }
}

/// The size of a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// The whole size.
    pub total: u64,
    /// What this process may still use.
    pub free: u64,
}

/// A directory with files.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// The path of the directory, for messages.
    fn path(&self) -> &Path;

    /// The names of all entries.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file, in place of one of the same name.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of one that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once every name made, changed or removed so far is on disk.
    /// A failure must not be retried: what was lost stays lost.
    fn sync_dir(&self) -> io::Result<()>;

    /// Checks that the directory that was opened is still the one at its path.
    /// The error is `NotFound` if it is not.
    fn check_in_place(&self) -> io::Result<()> {
        Ok(())
    }

    /// The id of the file with this name; `None` if this disk has no ids.
    fn id_of(&self, _name: &str) -> io::Result<Option<FileId>> {
        Ok(None)
    }

    /// The size of its volume; `None` if it is unknown.
    fn space(&self) -> io::Result<Option<Space>> {
        Ok(None)
    }
}

/// A file that is open.
#[expect(clippy::len_without_is_empty, reason = "no file of the store is empty")]
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset`.
    /// The error is `UnexpectedEof` if the file ends before.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`; the file grows as needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once everything written so far is on disk.
    /// A failure must not be retried: what was lost stays lost.
    fn sync_data(&self) -> io::Result<()>;

    /// Its id; `None` if the disk has no ids.
    fn id(&self) -> io::Result<Option<FileId>> {
        Ok(None)
    }
}

/// A directory of the machine's file system.
#[derive(Debug)]
pub struct RealDisk {
    dir: PathBuf,
    /// The directory that was opened.
    id: FileId,
    /// Whether files are opened for writing as well.
    writable: bool,
}

/// Only the user of the process may read a data directory: it tells who watches what.
pub(crate) const DIR_MODE: u32 = 0o700;

/// The same for the files, in case the directory is open to others.
pub(crate) const FILE_MODE: u32 = 0o600;

/// The mode bits of other users.
const OTHERS_MODE: u32 = 0o077;

impl RealDisk {
    /// The directory at `dir`, created if it is missing.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let missing: Vec<&Path> = dir.ancestors().take_while(|path| !path.exists()).collect();
        DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(dir)?;
        // The name of a new directory is on disk once its parent is synced.
        for made in missing {
            let parent = made.parent().filter(|parent| *parent != Path::new(""));
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Self::existing(dir)
    }

    /// The directory at `dir`, which must exist.
    pub fn existing(dir: &Path) -> io::Result<Self> {
        let metadata = File::open(dir)?.metadata()?;
        metadata
            .is_dir()
            .then_some(())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"))?;
        Ok(Self {
            dir: dir.to_owned(),
            id: FileId::of(&metadata),
            writable: true,
        })
    }

    /// The directory at `dir`, which must exist and may be on a read-only volume.
    pub(crate) fn read_only(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            writable: false,
            ..Self::existing(dir)?
        })
    }

    /// Whether only the user of the process may read it.
    pub(crate) fn is_private(&self) -> io::Result<bool> {
        Ok(std::fs::metadata(&self.dir)?.mode() & OTHERS_MODE == 0)
    }
}

impl Disk for RealDisk {
    fn path(&self) -> &Path {
        &self.dir
    }

    fn list(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.dir)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(self.dir.join(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(self.writable)
            .open(self.dir.join(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    fn check_in_place(&self) -> io::Result<()> {
        if FileId::of(&std::fs::metadata(&self.dir)?) == self.id {
            return Ok(());
        }
        let what = "another directory has its name";
        Err(io::Error::new(io::ErrorKind::NotFound, what))
    }

    fn id_of(&self, name: &str) -> io::Result<Option<FileId>> {
        let metadata = std::fs::metadata(self.dir.join(name))?;
        Ok(Some(FileId::of(&metadata)))
    }

    fn space(&self) -> io::Result<Option<Space>> {
        let stat = rustix::fs::statvfs(&self.dir)?;
        // Some file systems report zeros.
        Ok((stat.f_blocks > 0).then(|| Space {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
        }))
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn id(&self) -> io::Result<Option<FileId>> {
        Ok(Some(FileId::of(&self.0.metadata()?)))
    }
}
