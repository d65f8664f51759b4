//! What the figures were taken on, and of what.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use streamgate_clock::{Clock as _, SystemClock};

/// Facts about a run; what cannot be found out is said so.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processors: usize,
    pub(crate) processor: String,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// What the data was on.
    pub(crate) filesystem: String,
    pub(crate) rustc: String,
    /// Of this tree.
    pub(crate) git_commit: String,
    /// Nothing, where Redis was not measured.
    pub(crate) redis: Option<String>,
    /// When the run began, in milliseconds since 1970.
    pub(crate) began_ms: u64,
}

const UNKNOWN: &str = "unknown";

impl Machine {
    /// This machine; data is kept below `dir`.
    pub(crate) fn here(dir: &Path, redis: Option<String>) -> Self {
        let first = |path: &str, key: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
        };
        let memory = first("/proc/meminfo", "MemTotal");
        let memory = memory.and_then(|kib| kib.split(' ').next()?.parse::<u64>().ok());
        Self {
            processors: processors(),
            processor: first("/proc/cpuinfo", "model name").unwrap_or_else(|| UNKNOWN.to_owned()),
            memory_bytes: memory.unwrap_or_default() * 1_024,
            kernel: first("/proc/sys/kernel/osrelease", "").unwrap_or_else(|| UNKNOWN.to_owned()),
            filesystem: filesystem(dir).unwrap_or_else(|| UNKNOWN.to_owned()),
            rustc: said("rustc", &["--version"]).unwrap_or_else(|| UNKNOWN.to_owned()),
            git_commit: commit().unwrap_or_else(|| UNKNOWN.to_owned()),
            redis,
            began_ms: SystemClock::new().now().time.as_millis(),
        }
    }

    /// Whether the data only seems to be on a disk.
    pub(crate) fn keeps_data_in_memory(&self) -> bool {
        matches!(self.filesystem.as_str(), "tmpfs" | "ramfs")
    }

    /// The facts for people, each with its name.
    pub(crate) fn rows(&self) -> Vec<[String; 2]> {
        let memory = streamgate_loadgen::figures::mebibytes(self.memory_bytes);
        let rows = [
            (
                "processors",
                format!("{} × {}", self.processors, self.processor),
            ),
            ("memory", memory),
            ("kernel", self.kernel.clone()),
            ("data on", self.filesystem.clone()),
            ("rustc", self.rustc.clone()),
            ("commit", self.git_commit.clone()),
            (
                "redis-server",
                self.redis.clone().unwrap_or_else(|| "not run".to_owned()),
            ),
        ];
        rows.map(|(name, fact)| [name.to_owned(), fact]).to_vec()
    }
}

/// How many processors there are for this process.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The commit of this tree, and whether there is more than it says.
fn commit() -> Option<String> {
    let tree = env!("CARGO_MANIFEST_DIR");
    let commit = said("git", &["-C", tree, "rev-parse", "HEAD"])?;
    let changed = said("git", &["-C", tree, "status", "--porcelain"])?;
    Some(if changed.is_empty() {
        commit
    } else {
        format!("{commit} and changes")
    })
}

/// What a program prints, if there is one and all is well.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

/// The kind of filesystem that a directory is on.
fn filesystem(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    filesystem_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, &dir)
}

/// The same, as a table of mounts has it: the mount point is the fifth field, the kind the first
/// behind a lone hyphen. What was mounted last at a place is what is seen.
fn filesystem_in(mounts: &str, dir: &Path) -> Option<String> {
    let mut deepest = (0, None);
    for line in mounts.lines() {
        let (mount, what) = line.split_once(" - ")?;
        let point = Path::new(mount.split(' ').nth(4)?);
        let depth = point.components().count();
        if dir.starts_with(point) && depth >= deepest.0 {
            deepest = (depth, what.split(' ').next());
        }
    }
    deepest.1.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_is_where_a_directory_is() {
        let mounts = "\
            22 1 252:1 / / rw,relatime - ext4 /dev/vda1 rw\n\
            30 22 0:26 / /dev/shm rw master:3 - tmpfs tmpfs rw\n\
            31 22 0:27 / /dev rw - devtmpfs none rw\n";
        for (dir, kind) in [
            ("/home", "ext4"),
            ("/dev/shm/a", "tmpfs"),
            ("/dev/shmall", "devtmpfs"),
            ("/", "ext4"),
        ] {
            let found = filesystem_in(mounts, Path::new(dir));
            assert_eq!(found.as_deref(), Some(kind), "{dir}");
        }
    }
}
