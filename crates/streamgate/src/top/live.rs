//! The loop: a thread asks the server once a second, the screen is drawn with what it answers.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use streamgate_clock::Stopwatch;

use super::fetch;
use super::screen::{Screen, Trouble};
use super::stats::Stats;
use crate::client::Client;

/// How often the server is asked; and again, while it does not answer.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How long a key press may take to be seen.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// An answer, or why there is none.
type Asked = Result<Stats, String>;

/// Shows what the node does until the user quits.
///
/// # Errors
/// The terminal has failed.
pub(crate) fn watch(client: Client, stats: Stats, has_colours: bool) -> io::Result<()> {
    let screen = Screen {
        url: client.url().to_owned(),
        stats,
        trouble: None,
        has_colours,
    };
    let (answers, asked) = mpsc::sync_channel(1);
    // Closed with the screen: the thread waits for that, and asks meanwhile.
    let (_screen, closed) = mpsc::channel();
    thread::Builder::new()
        .name("top".to_owned())
        .spawn(move || ask_until(&closed, &client, &answers))?;
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, screen, &asked);
    // The terminal is as it was, whatever happened.
    ratatui::try_restore()?;
    shown
}

/// Asks once a second.
fn ask_until(closed: &Receiver<()>, client: &Client, answers: &SyncSender<Asked>) {
    while closed.recv_timeout(ASK_EVERY) == Err(RecvTimeoutError::Timeout) {
        let asked = fetch(client).map_err(|failure| failure.message().to_owned());
        // The screen takes the one before first.
        let _ = answers.try_send(asked);
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    mut screen: Screen,
    asked: &Receiver<Asked>,
) -> io::Result<()> {
    let mut answered = Stopwatch::start();
    loop {
        terminal.draw(|frame| screen.draw(frame))?;
        while event::poll(KEYS_EVERY)? {
            match event::read()? {
                Event::Key(key) if quits(key) => return Ok(()),
                Event::Resize(..) => break,
                _ => {}
            }
        }
        for asked in asked.try_iter() {
            match asked {
                Ok(stats) => {
                    answered = Stopwatch::start();
                    screen.stats = stats;
                    screen.trouble = None;
                }
                Err(why) => {
                    let for_s = 0;
                    screen.trouble = Some(Trouble { why, for_s });
                }
            }
        }
        if let Some(trouble) = &mut screen.trouble {
            trouble.for_s = answered.elapsed().as_secs();
        }
    }
}

/// Whether the user wants to go. In raw mode Ctrl-C is a key like any other.
fn quits(key: KeyEvent) -> bool {
    let is_interrupt =
        key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_end = matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc);
    key.kind != KeyEventKind::Release && (is_interrupt || is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_escape_and_ctrl_c_quit_and_nothing_else() {
        let key = |code, modifiers| quits(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
