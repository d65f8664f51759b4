//! The text of a message, and of the status that `systemctl status` shows.

use std::fmt;
use std::time::Duration;

/// A message: a line for each field.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(String);

impl Message {
    /// A message without fields.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds `NAME=value`.
    pub(super) fn field(mut self, field: &str) -> Self {
        self.0.push_str(field);
        self.0.push('\n');
        self
    }

    /// Adds the time that the start or the stop may still take.
    pub(super) fn extend_timeout(self, time: Duration) -> Self {
        self.field(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()))
    }

    /// Adds the status. Its text can come from a server, and a line end in it would begin another
    /// field.
    pub(super) fn status(self, text: &str) -> Self {
        let is_shown = |c: char| if c.is_control() { ' ' } else { c };
        let line: String = text.chars().take(STATUS_MAX).map(is_shown).collect();
        self.field(&format!("STATUS={line}"))
    }

    /// The message as it is sent.
    pub(super) fn text(&self) -> String {
        self.0.clone()
    }
}

/// Longest status in characters.
const STATUS_MAX: usize = 400;

/// What a running service says of itself.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// Where it listens.
    pub(super) url: Option<String>,
    /// Why calls are not served; `None` if they are.
    pub(super) why_not: Option<String>,
    /// The last SIGHUP found wrong settings.
    pub(super) reload_refused: bool,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why_not {
            None => f.write_str("serving")?,
            Some(_) => f.write_str("not ready")?,
        }
        if let Some(url) = &self.url {
            write!(f, " on {url}")?;
        }
        if let Some(why_not) = &self.why_not {
            write!(f, ": {why_not}")?;
        }
        if self.reload_refused {
            f.write_str("; the last reload was refused, see the log")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_cannot_add_a_field_to_the_status() {
        let message = Message::new().status("no route\nMAINPID=1\r\n\0");
        assert_eq!(message.text(), "STATUS=no route MAINPID=1   \n");
        let long = Message::new().status(&"x".repeat(10_000));
        assert!(long.text().len() < 500);
    }

    #[test]
    fn the_status_says_where_and_why_not() {
        let mut status = Status {
            url: Some("http://127.0.0.1:80".to_owned()),
            ..Status::default()
        };
        assert_eq!(status.to_string(), "serving on http://127.0.0.1:80");
        status.why_not = Some("no answer".to_owned());
        status.reload_refused = true;
        assert_eq!(
            status.to_string(),
            "not ready on http://127.0.0.1:80: no answer; the last reload was refused, see the log"
        );
    }
}
