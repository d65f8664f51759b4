//! `examples/cluster` as a user runs it: it reports that the limit held, and ends all its
//! processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use streamgate_testkit::{Ran, repository};
use tempfile::TempDir;

/// Ports behind the first that the example listens on; servers of a cluster also listen 10,000
/// above.
const PORTS: [u16; 9] = [0, 1, 2, 3, 4, 5, 6, 11, 12];
const BUS_PORTS: [u16; 6] = [1, 2, 3, 4, 5, 6];

/// First ports to choose from: below the ephemeral ports, so that none of them is given to a socket
/// that asks for any port.
fn free_base_port() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let bases: Vec<u16> = (20_000..22_700).step_by(20).collect();
    // Another run of the tests on this machine looks at the same time.
    let begin = std::process::id() as usize % bases.len();
    let (behind, first) = bases.split_at(begin);
    (first.iter().chain(behind).copied())
        .find(|base| {
            let bus = BUS_PORTS.iter().map(|port| 10_000 + port);
            PORTS
                .into_iter()
                .chain(bus)
                .all(|port| is_free(base + port))
        })
        .expect("some ports are free")
}

/// The example with this test's binary; all that it leaves is in `dir`.
fn example(dir: &Path, base_port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(repository("examples/cluster"));
    command
        .args(arguments)
        // Nothing of this process's environment but the path: nodes read settings from theirs.
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .env("STREAMGATE", env!("CARGO_BIN_EXE_streamgate"))
        .env("BASE_PORT", base_port.to_string())
        .env("TMPDIR", dir)
        // A debug build on two cores that do other things too.
        .env("STREAMGATE_ENGINE_DEADLINE_MS", "30000")
        .stdin(Stdio::null());
    command
}

/// Asserts that no file of the example is left, nor a process: each has `TMPDIR` in its
/// environment.
fn assert_nothing_is_left(dir: &Path) {
    let files: Vec<_> = fs::read_dir(dir).unwrap().collect();
    assert!(files.is_empty(), "{files:?}");
    let mark = format!("TMPDIR={}", dir.display());
    for process in fs::read_dir("/proc").unwrap() {
        let path = process.unwrap().path();
        // Others' processes cannot be read, and some end while this looks.
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        let is_ours = environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes());
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        assert!(!is_ours, "{} is left: {name}", path.display());
    }
}

#[test]
fn the_example_says_that_the_limit_held_and_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let mut command = example(dir.path(), free_base_port(), &[]);
    let said = Ran::from(command.output().unwrap()).ok();
    let verdict = "the limit held: of 200 starts at once, exactly 3 for each of 20 users";
    assert!(said.contains(verdict), "{said}");
    assert_nothing_is_left(dir.path());
}

#[test]
fn the_example_that_is_kept_ends_all_on_ctrl_c() {
    let dir = TempDir::new().unwrap();
    let mut child = example(dir.path(), free_base_port(), &["--keep"])
        .env("USERS", "1")
        .env("STARTS", "20")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kill_line = || {
        let line = lines.find(|line| line.as_ref().unwrap().contains("kill -9 "));
        let line = line.expect("it says what to kill").unwrap();
        let id = line.trim().strip_prefix("kill -9 ").unwrap();
        Pid::from_raw(id.parse().unwrap()).unwrap()
    };
    // As it says: a node and a primary may be killed meanwhile.
    let (node, primary) = (kill_line(), kill_line());
    for victim in [node, primary] {
        kill_process(victim, Signal::KILL).expect("it runs");
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_nothing_is_left(dir.path());
}

#[test]
fn the_example_says_when_the_limit_did_not_hold() {
    let (dir, bin) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    // Nodes that admit one more than they are told to.
    let lax = bin.path().join("lax");
    let exec = format!(
        "#!/usr/bin/env bash\nexec {} \"${{@/default_limit=3/default_limit=4}}\"\n",
        env!("CARGO_BIN_EXE_streamgate")
    );
    fs::write(&lax, exec).unwrap();
    fs::set_permissions(&lax, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = example(dir.path(), free_base_port(), &[]);
    command
        .env("STREAMGATE", lax)
        .env("USERS", "1")
        .env("STARTS", "20");
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let told = "viewer-1: 4 starts were admitted, 4 sessions are live, 3 are allowed";
    assert!(ran.stdout.contains(told), "{ran:?}");
    assert!(!ran.stdout.contains("the limit held"), "{ran:?}");
    assert_nothing_is_left(dir.path());
}

#[test]
fn the_example_refuses_ports_that_are_taken() {
    let dir = TempDir::new().unwrap();
    let base = free_base_port();
    let taken = base + 12;
    let _other = TcpListener::bind(("127.0.0.1", taken)).unwrap();
    let ran = Ran::from(example(dir.path(), base, &[]).output().unwrap());
    let said = ran.failed(1);
    assert!(said.contains(&format!("port {taken} is taken")), "{said}");
    assert!(said.contains("BASE_PORT="), "{said}");
    assert_nothing_is_left(dir.path());
}

#[test]
fn the_example_says_what_to_install() {
    let (dir, path) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for there in ["env", "bash", "dirname", "redis-server", "redis-cli"] {
        symlink(Path::new("/usr/bin").join(there), path.path().join(there)).unwrap();
    }
    let mut command = example(dir.path(), free_base_port(), &[]);
    let ran = Ran::from(command.env("PATH", path.path()).output().unwrap());
    let said = ran.failed(1);
    let told = "curl is missing: apt-get install redis-server haproxy curl";
    assert!(said.contains(told), "{said}");
}
