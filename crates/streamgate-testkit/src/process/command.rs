//! Running a command of the binary to its end.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// The binary, with nothing of this process's environment but the path.
pub fn streamgate(arguments: &[&str]) -> Command {
    let mut command = bare(binary().to_str().expect("the target directory is UTF-8"));
    command.args(arguments);
    command
}

/// The binary. Cargo builds it before the tests of its package, into the directory above theirs.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.ancestors().nth(2).expect("a test is in PROFILE/deps");
    let binary = directory.join("streamgate");
    assert!(
        binary.is_file(),
        "{} is missing: run the tests with cargo",
        binary.display()
    );
    binary
}

/// A program, with nothing of this process's environment but the path: variables that are meant for
/// the tests must not be taken for settings.
pub fn bare(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default());
    command
}

/// This command under `strace`, which tampers with a system call as its option `inject` says, such as
/// `fdatasync:delay_enter=10s:when=20+`. The tracer stands aside: the command is our child.
pub fn tampered(inject: &str, command: &Command) -> Command {
    let (call, _) = inject
        .split_once(':')
        .expect("a call, and what is done to it");
    let mut traced = bare("strace");
    traced
        .args(["-D", "-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={inject}"), "--"])
        .arg(command.get_program())
        .args(command.get_args())
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    traced
}

/// Runs the binary.
pub fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, &[])
}

/// Runs the binary with environment variables.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    streamgate(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("the binary can be started")
        .into()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("it prints UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("it prints UTF-8"),
        }
    }
}

impl Ran {
    /// The output of a command that must have succeeded and said nothing on the side.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// The JSON of a command that must have succeeded.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("it printed JSON")
    }

    /// The errors of a command that must have failed with a code and explained itself in the way of
    /// every command.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        let is_error = |line: &str| line.starts_with("error: ");
        assert!(self.stderr.lines().any(is_error), "{self:?}");
        for trace in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!self.stderr.contains(trace), "{self:?}");
        }
        self.stderr
    }
}
