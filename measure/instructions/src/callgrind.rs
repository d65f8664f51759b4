//! Runs this program under callgrind, and reads how many instructions it took.
//!
//! Counting begins and ends with calls of a function: callgrind closes a part of its report before
//! each. So all threads count, which a range in one thread (`--toggle-collect`) would not do.

use std::hint::black_box;
use std::path::{Path as FilePath, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Result;
use crate::paths::{CLIENT, Path};

/// The name of [`mark`] as callgrind knows it.
const MARK: &str = "streamgate_instructions::callgrind::mark";

/// The part of callgrind's report that is counted: the one that the second mark closes.
const COUNTED_PART: &str = "2";

/// The whole environment of a counted process. Copies of more than 2 KiB are one instruction to the
/// processor and one for each byte to callgrind, so the C library makes them in the other way.
/// Memory is not given back to the system, because that goes by the clock.
const ENVIRONMENT: [(&str, &str); 2] = [
    (
        "GLIBC_TUNABLES",
        "glibc.cpu.x86_rep_movsb_threshold=1073741824:\
         glibc.cpu.x86_rep_stosb_threshold=1073741824",
    ),
    ("MIMALLOC_PURGE_DELAY", "-1"),
];

/// Marks where counting begins and ends. It must stay a function of its own.
#[inline(never)]
fn mark() {
    black_box(());
}

/// Gives these in turn, `repetitions` times to warm up, and then again as often to be counted.
pub(crate) fn laps<T>(turns: &[T], repetitions: u64) -> impl Iterator<Item = &T> {
    let mut left = 2 * repetitions;
    let mut turns = turns.iter().cycle();
    std::iter::from_fn(move || {
        if left == repetitions || left == 0 {
            mark();
        }
        left = left.checked_sub(1)?;
        turns.next()
    })
}

/// How to count.
pub(crate) struct Callgrind {
    /// A processor that this process may use.
    processor: String,
    program: PathBuf,
    /// Where profiles are kept, if they are.
    profile: Option<PathBuf>,
}

impl Callgrind {
    /// Prepares; the profile of each path is kept in a directory, if one is given.
    pub(crate) fn new(profile: Option<&FilePath>) -> Result<Self> {
        if let Some(dir) = profile {
            std::fs::create_dir_all(dir)?;
        }
        let status = std::fs::read_to_string("/proc/self/status")?;
        let processor = first_processor(&status).ok_or("/proc/self/status names no processor")?;
        Ok(Self {
            processor: processor.to_owned(),
            program: std::env::current_exe()?,
            profile: profile.map(FilePath::canonicalize).transpose()?,
        })
    }

    /// The instructions of one operation of a path, if a call takes its client this many.
    pub(crate) fn of_operation(&self, path: &Path, client: u64) -> Result<u64> {
        let all = self.count(path)?;
        let client = client * path.calls * path.repetitions;
        let operations = path.operations * path.repetitions;
        let operation = all.checked_sub(client).map(|own| share(own, operations));
        operation.ok_or_else(|| format!("{} takes less than its client", path.name).into())
    }

    /// The instructions of the client of one call.
    pub(crate) fn of_client(&self) -> Result<u64> {
        Ok(share(self.count(&CLIENT)?, CLIENT.repetitions))
    }

    /// The instructions of all counted repetitions of a path.
    ///
    /// Threads take turns only where one of them waits: they share a processor (`taskset`), none is
    /// interrupted for another that has just been woken (`chrt --batch`), and valgrind serves them
    /// in their order. Otherwise whether a thread finds work or goes to sleep would depend on the
    /// machine, and with it some percent.
    fn count(&self, path: &Path) -> Result<u64> {
        // In memory if possible: the time that a disk takes is not counted, and would only be
        // waited for.
        let memory = FilePath::new("/dev/shm");
        let scratch = match memory.is_dir() {
            true => TempDir::new_in(memory)?,
            false => TempDir::new()?,
        };
        let (out, log) = (scratch.path().join("out"), scratch.path().join("log"));
        let option = |name: &str, file: &FilePath| format!("--{name}-file={}", file.display());
        let output = Command::new("chrt")
            .args(["--batch", "0", "taskset", "--cpu-list", &self.processor])
            .args("valgrind --tool=callgrind --fair-sched=try --vgdb=no".split(' '))
            .arg(option("callgrind-out", &out))
            .arg(option("log", &log))
            .arg(format!("--dump-before={MARK}"))
            .arg(&self.program)
            .args(["run", path.name])
            .env_clear()
            .envs(ENVIRONMENT)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", scratch.path())
            .output();
        let needs = "chrt and taskset (Debian package util-linux) and valgrind are needed: \
                     sudo apt-get install util-linux valgrind";
        let output = output.map_err(|error| format!("chrt: {error}; {needs}"))?;
        let name = path.name;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let status = output.status;
            return Err(format!("{name} under valgrind: {status}\n{said}{log}{needs}").into());
        }
        let part = out.with_extension(COUNTED_PART);
        let counted = std::fs::read_to_string(&part)
            .map_err(|_| format!("{name}: callgrind saw no marks; is the program stripped?"))?;
        if let Some(dir) = &self.profile {
            let file = format!("{}.callgrind", name.replace('/', "-"));
            std::fs::copy(&part, dir.join(file))?;
        }
        total(&counted).ok_or_else(|| format!("{name}: callgrind gave no total").into())
    }
}

/// The first processor that a process may run on, by its status in `/proc`.
fn first_processor(status: &str) -> Option<&str> {
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let first = list.trim().split(['-', ',']).next();
    first.filter(|first| !first.is_empty())
}

/// A share of the instructions, rounded.
fn share(instructions: u64, of: u64) -> u64 {
    (instructions + of / 2) / of
}

/// The total in a file of callgrind that counts instructions and nothing else.
fn total(file: &str) -> Option<u64> {
    let value = |name| file.lines().find_map(|line| line.strip_prefix(name));
    value("events:").filter(|events| events.trim() == "Ir")?;
    value("totals:")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_laps_and_all_have_their_turns_in_both() {
        let turns: Vec<u8> = laps(&[1, 2, 3], 4).copied().collect();
        assert_eq!(turns, [1, 2, 3, 1, 2, 3, 1, 2]);
    }

    #[test]
    fn only_a_file_of_instructions_has_a_total() {
        let file = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 12\n\nfn=(1) main\n3 12\n\
                    \ntotals: 4711\n";
        assert_eq!(total(file), Some(4_711));
        for none in [
            "events: Ir\nsummary: 12\n",
            "events: Ir Dr\ntotals: 12 3\n",
            "events: Ir\ntotals: x\n",
            "",
        ] {
            assert_eq!(total(none), None, "{none}");
        }
    }

    #[test]
    fn a_share_is_rounded() {
        assert_eq!(
            [2_000, 2_004, 2_005, 0].map(|all| share(all, 10)),
            [200, 200, 201, 0]
        );
    }

    #[test]
    fn the_first_processor_of_a_list_is_taken() {
        for (list, first) in [("0", "0"), ("0-1", "0"), ("3,5-7", "3"), ("12-15", "12")] {
            let status =
                format!("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t{list}\nMems:\t1\n");
            assert_eq!(first_processor(&status), Some(first));
        }
        assert_eq!(first_processor("Name:\tx\nCpus_allowed_list:\t\n"), None);
        assert_eq!(first_processor(""), None);
    }
}
