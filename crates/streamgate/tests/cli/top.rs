//! `streamgate top`: as plain text against a server, and on the screen of a pseudoterminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use streamgate_clock::Stopwatch;
use streamgate_testkit::{Server, eventually, run, streamgate};
use tempfile::TempDir;

/// How long the screen may take to show something.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server at which anna has three sessions and was refused twice.
fn server(dir: &TempDir) -> Server {
    let server = Server::start(dir.path());
    for session in ["a", "b", "c", "d", "e"] {
        server.call("PUT", &format!("/v1/users/anna/sessions/{session}"), None);
    }
    server
}

#[test]
fn the_figures_of_a_server_are_printed_once_as_plain_text() {
    let dir = TempDir::new().unwrap();
    let server = server(&dir);
    let url = server.url();
    let top = |more: &[&str]| run(&[&["top", "--url", &url], more].concat());
    let mut text = String::new();
    eventually("the starts are sampled", || {
        text = top(&["--once"]).ok();
        text.starts_with("live sessions              3\nusers watching             1\n")
    });
    assert!(text.ends_with("  anna\n"), "{text}");
    let line = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("no {name}: {text}"))
            .to_owned()
    };
    assert!(line("refusals").contains("/s"), "{text}");
    assert!(line("p99").contains("ms"), "{text}");
    let stats = top(&["--json"]).json();
    assert_eq!(stats["top_refused"][0]["user_id"], "anna");
    assert_eq!(stats["starts"].as_array().unwrap().len(), 120);
}

#[test]
fn what_keeps_top_from_its_figures_is_said() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let url = server.url();
    let said = run(&["top", "--url", &url]).failed(2);
    assert!(said.contains("--once"), "{said}");
    let said = run(&[
        "top",
        "--once",
        "--key",
        "wrong\n",
        "--url",
        "http://127.0.0.1:1",
    ]);
    said.failed(69);
}

/// `streamgate top` on a pseudoterminal.
struct Screen {
    child: Child,
    terminal: File,
    shown: Receiver<Vec<u8>>,
    text: String,
}

impl Screen {
    fn of(url: &str, variables: &[(&str, &str)]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let side = || open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut command = streamgate(&["top", "--url", url]);
        command.env("TERM", "xterm-256color");
        command.envs(variables.iter().copied());
        let child = command.stdin(side()).stdout(side()).stderr(side());
        let child = child.spawn().unwrap();
        let terminal = File::from(terminal);
        let mut reader = terminal.try_clone().unwrap();
        let (sender, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // The other side is closed once the command has ended.
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            terminal,
            shown,
            text: String::new(),
        }
    }

    /// Waits until this was written, behind what was waited for before. Returns what came before.
    fn wait_for(&mut self, text: &str) -> String {
        let begun = Stopwatch::start();
        loop {
            if let Some(at) = self.text.find(text) {
                return self.text.drain(..at + text.len()).collect();
            }
            // The screen is drawn again and again, so something comes all the time.
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let Ok(bytes) = self.shown.recv_timeout(left) else {
                panic!("never showed {text:?}: {:?}", self.text);
            };
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn press(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end, and returns it with what was written meanwhile.
    fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        while let Ok(bytes) = self.shown.recv_timeout(Duration::from_millis(200)) {
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status, self.text)
    }
}

/// Enters the alternate screen, and leaves it.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";

#[test]
fn the_screen_shows_the_server_says_when_it_is_away_and_leaves_the_terminal_as_it_was() {
    let dir = TempDir::new().unwrap();
    let server = server(&dir);
    let mut screen = Screen::of(&server.url(), &[]);
    screen.wait_for(ENTER);
    screen.wait_for("streamgate top");
    screen.wait_for("anna");
    let address = server.address.to_string();
    server.terminate();
    screen.wait_for("no answer for");
    let data = dir.path().to_str().unwrap();
    let again = streamgate(&["serve", "--listen", &address, "--data-dir", data]);
    let again = Server::spawn(again);
    // Nobody was refused since.
    screen.wait_for("none");
    assert_eq!(again.address.to_string(), address);
    screen.press("q");
    screen.wait_for(LEAVE);
    let terminal = screen.terminal.try_clone().unwrap();
    let (status, _) = screen.end();
    assert!(status.success(), "{status}");
    let modes = tcgetattr(&terminal).unwrap().local_modes;
    let cooked = rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO;
    assert!(modes.contains(cooked), "{modes:?}");
}

#[test]
fn the_screen_has_no_colours_where_none_are_wanted() {
    let dir = TempDir::new().unwrap();
    let server = server(&dir);
    // The foreground, of whatever background.
    let cyan = "\u{1b}[38;5;6;";
    for (variables, has_colours) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let mut screen = Screen::of(&server.url(), variables);
        screen.wait_for(ENTER);
        let mut shown = screen.wait_for("anna");
        // Ctrl-C.
        screen.press("\u{3}");
        let (status, rest) = screen.end();
        shown.push_str(&rest);
        assert!(status.success(), "{status}");
        assert_eq!(shown.contains(cyan), has_colours, "{shown:?}");
    }
}
