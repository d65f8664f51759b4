//! A wall clock that a test sets while a process runs, by the preloaded library of the command
//! `faketime`. Its speed is not faked, and the monotonic clock is not either.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A wall clock.
#[derive(Debug)]
pub struct WallClock {
    file: PathBuf,
    _dir: TempDir,
}

impl WallClock {
    /// A clock that differs by this much from the right time, such as `+3600s` or `-60y`.
    pub fn shifted(by: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let clock = Self {
            file: dir.path().join("shift"),
            _dir: dir,
        };
        clock.set(by);
        clock
    }

    /// Sets it. The file is replaced, so that no reader sees half of it.
    pub fn set(&self, by: &str) {
        let next = self.file.with_extension("next");
        std::fs::write(&next, format!("{by}\n")).expect("it can be written");
        std::fs::rename(&next, &self.file).expect("it can be replaced");
    }

    /// Lets a command see it.
    pub fn show_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    /// The same for a `redis-server`, which is linked with jemalloc: the library asks for memory
    /// before it can tell the time, and that allocator asks for the time first. So the C library's
    /// takes its place.
    pub fn show_to_redis(&self, command: &mut Command) {
        self.show_to(command);
        command.env("LD_PRELOAD", format!("{}:libc.so.6", library()));
    }
}

/// Where the command `faketime` has its library. It may name it in the language of the dynamic
/// linker.
pub fn library() -> String {
    let mut faketime = Command::new("faketime");
    faketime.args(["-f", "+0s", "printenv", "LD_PRELOAD"]);
    // It fails where a process with the same id has left something behind: then another.
    for _ in 0..10 {
        let output = faketime
            .output()
            .unwrap_or_else(|error| panic!("faketime: {error}; ./test installs it"));
        if output.status.success() {
            let text = String::from_utf8(output.stdout).expect("a path");
            return text.trim().to_owned();
        }
    }
    panic!("{:?}", faketime.output());
}
