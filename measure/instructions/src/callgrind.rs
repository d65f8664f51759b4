//! Runs this program under callgrind, and reads how many instructions it took.

use std::ffi::{OsStr, OsString};
use std::path::{Path as FilePath, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Result;
use crate::laps::{COUNTED_PART, MARK};
use crate::paths::{CLIENT, Path};

/// Settings of the C library. Copies of more than 2 KiB are one instruction to the processor and
/// one for each byte to callgrind, so they are made in the other way.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824:\
                        glibc.cpu.x86_rep_stosb_threshold=1073741824";

/// Settings of the environment of what is counted, which has no others but where its files go.
/// Memory is not given back to the system: that goes by the clock.
const ENVIRONMENT: [(&str, &str); 2] =
    [("GLIBC_TUNABLES", TUNABLES), ("MIMALLOC_PURGE_DELAY", "-1")];

/// Callgrind, and where its files go.
pub(crate) struct Callgrind {
    /// Begins every command: valgrind, and what makes threads take turns.
    under: Vec<OsString>,
    program: PathBuf,
    scratch: PathBuf,
    profile: Option<PathBuf>,
}

impl Callgrind {
    /// Looks for what is needed.
    pub(crate) fn find(profile: Option<&FilePath>) -> Result<Self> {
        let profile = profile.map(|dir| {
            std::fs::create_dir_all(dir)?;
            dir.canonicalize()
        });
        Ok(Self {
            under: under(&std::env::var_os("PATH").unwrap_or_default())?,
            program: std::env::current_exe()?,
            scratch: scratch(),
            profile: profile.transpose()?,
        })
    }

    /// How many instructions one operation of a path takes, if a call takes its client this many.
    pub(crate) fn of_operation(&self, path: &Path, client: u64) -> Result<u64> {
        let walks = self.count(path)?;
        let client = client * path.calls * path.repetitions;
        let operations = path.operations * path.repetitions;
        let operation = walks.checked_sub(client).map(|own| share(own, operations));
        operation.ok_or_else(|| format!("{} takes less than its client", path.name).into())
    }

    /// How many instructions a call takes its client.
    pub(crate) fn of_client(&self) -> Result<u64> {
        Ok(share(self.count(&CLIENT)?, CLIENT.repetitions))
    }

    /// How many instructions all counted walks of a path take.
    fn count(&self, path: &Path) -> Result<u64> {
        let scratch = TempDir::new_in(&self.scratch)?;
        let (out, log) = (scratch.path().join("out"), scratch.path().join("log"));
        let option = |name: &str, file: &FilePath| {
            let mut option = OsString::from(name);
            option.push(file);
            option
        };
        let (first, more) = self.under.split_first().expect("it has valgrind at least");
        let answer = Command::new(first)
            .args(more)
            .env_clear()
            .envs(ENVIRONMENT)
            .env("TMPDIR", scratch.path())
            .arg(option("--callgrind-out-file=", &out))
            .arg(option("--log-file=", &log))
            .arg(format!("--dump-before={MARK}"))
            .arg(&self.program)
            .args(["walk", path.name])
            .output()?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let (name, status) = (path.name, answer.status);
            return Err(format!("{name} under valgrind: {status}\n{said}{log}").into());
        }
        let part = out.with_extension(COUNTED_PART.to_string());
        let counted = std::fs::read_to_string(&part).map_err(|_| {
            format!(
                "{}: callgrind saw no marks; is the program stripped?",
                path.name
            )
        })?;
        if let Some(dir) = &self.profile {
            let name = path.name.replace('/', "-");
            std::fs::copy(&part, dir.join(format!("{name}.callgrind")))?;
        }
        total(&counted).ok_or_else(|| format!("{}: callgrind gave no total", path.name).into())
    }
}

/// The command that counts the instructions of the one behind it, found along this search path.
///
/// Threads take turns only where one of them waits: they share a processor, none is interrupted for
/// another that has just been woken, and valgrind serves them in their order. Else the machine's
/// mood would decide whether a thread finds work or goes to sleep, and with it some percent.
fn under(search: &OsStr) -> Result<Vec<OsString>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let processor = first_processor(&status).ok_or("/proc/self/status names no processor")?;
    Ok([
        found(search, "chrt", "util-linux")?,
        OsString::from("--batch"),
        OsString::from("0"),
        found(search, "taskset", "util-linux")?,
        OsString::from("--cpu-list"),
        OsString::from(processor),
        found(search, "valgrind", "valgrind")?,
        OsString::from("--tool=callgrind"),
        OsString::from("--fair-sched=try"),
        OsString::from("--vgdb=no"),
    ]
    .into())
}

/// Where the walks keep their files: in memory, as how long a disk takes is not counted and would
/// only be waited for; on disk where there is no such place.
fn scratch() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

/// Where a program is.
fn found(search: &OsStr, program: &str, package: &str) -> Result<OsString> {
    let file = std::env::split_paths(search)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file());
    file.map(PathBuf::into_os_string).ok_or_else(|| {
        format!(
            "{program} is missing, and without it instructions are not counted. It is in the \
             Debian package {package}: sudo apt-get install {package}"
        )
        .into()
    })
}

/// The first processor that this process may run on, of what Linux says about the process.
fn first_processor(status: &str) -> Option<&str> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim()
        .split(['-', ','])
        .next()
        .filter(|first| !first.is_empty())
}

/// What one of so many takes, rounded.
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
    fn the_total_is_found_among_all_else() {
        let file = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 12\n\nfn=(1) main\n3 12\n\n\
                    totals: 4711\n";
        assert_eq!(total(file), Some(4_711));
    }

    #[test]
    fn a_file_without_a_total_or_with_other_events_has_none() {
        assert_eq!(total("events: Ir\nsummary: 12\n"), None);
        assert_eq!(total("events: Ir Dr\ntotals: 12 3\n"), None);
        assert_eq!(total("events: Ir\ntotals: many\n"), None);
        assert_eq!(total(""), None);
    }

    #[test]
    fn a_share_is_rounded() {
        assert_eq!(share(2_000, 10), 200);
        assert_eq!(share(2_004, 10), 200);
        assert_eq!(share(2_005, 10), 201);
        assert_eq!(share(0, 10), 0);
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

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let error = found(OsStr::new("/nowhere"), "valgrind", "valgrind").unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("valgrind is missing"), "{error}");
        assert!(error.ends_with("sudo apt-get install valgrind"), "{error}");
    }
}
