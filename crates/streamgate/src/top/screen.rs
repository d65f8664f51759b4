//! The screen: figures with a sparkline each, and the users that were refused most often.
//!
//! Lines that do not fit are left out from the bottom; a narrow terminal has no sparklines.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline, SparklineBar};

use super::stats::{Row, Stats};

/// Columns of names, and of each figure.
const NAME_WIDTH: u16 = 14;
const FIGURE_WIDTH: u16 = 11;

/// A sparkline is drawn from this width on.
const SPARKLINE_MIN: u16 = 8;

/// Heights of a bar.
const BAR_HEIGHTS: u64 = 8;

/// What is on the screen.
#[derive(Debug)]
pub(super) struct Screen {
    /// The address of the server.
    pub(super) url: String,
    /// The last answer.
    pub(super) stats: Stats,
    /// Why there is no newer one.
    pub(super) trouble: Option<Trouble>,
    pub(super) has_colours: bool,
}

/// The server does not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What is wrong, in a sentence.
    pub(super) why: String,
    /// Since when, in seconds.
    pub(super) for_s: u64,
}

impl Screen {
    /// Draws all of it.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let mut lines = Lines { rest: area };
        lines.put(frame, self.title());
        if let Some(trouble) = &self.trouble {
            let text = format!(
                "no answer for {} s, trying again: {}",
                trouble.for_s, trouble.why
            );
            lines.put(frame, Line::styled(text, self.alarming()));
        }
        lines.put(frame, Line::default());
        lines.put(frame, self.levels());
        if self.stats.shares_store() {
            let note = "one node of a shared store does not know how many sessions are live";
            lines.put(frame, Line::styled(note, self.quiet()));
        }
        lines.put(frame, Line::default());
        let has_mean = area.width >= NAME_WIDTH + 2 * FIGURE_WIDTH;
        lines.put(frame, self.headings(has_mean));
        for row in self.stats.rows() {
            let Some(place) = lines.take() else {
                return;
            };
            self.draw_row(frame, place, &row, has_mean);
        }
        lines.put(frame, Line::default());
        lines.put(
            frame,
            Line::styled("most refused users, 2 minutes", self.bold()),
        );
        if self.stats.top_refused.is_empty() {
            lines.put(frame, Line::styled("  none", self.quiet()));
        }
        for refused in &self.stats.top_refused {
            let (count, last) = (refused.refusals, refused.last());
            lines.put(
                frame,
                format!("{count:>8}  {last}  {}", refused.user()).into(),
            );
        }
    }

    fn title(&self) -> Line<'_> {
        Line::from(vec![
            Span::styled("streamgate top ", self.bold()),
            Span::raw(format!("{} ", self.url)),
            Span::raw(format!("{} ", self.stats.time())),
            Span::styled("q quits", self.quiet()),
        ])
    }

    fn levels(&self) -> Line<'_> {
        Line::from(vec![
            Span::raw("live sessions "),
            Span::styled(self.stats.live_sessions(), self.bold()),
            Span::raw("   users watching "),
            Span::styled(self.stats.watching_users(), self.bold()),
        ])
    }

    fn headings(&self, has_mean: bool) -> Line<'_> {
        let (name, figure) = (usize::from(NAME_WIDTH), usize::from(FIGURE_WIDTH));
        let mean = if has_mean { "1 minute" } else { "" };
        let text = format!("{:<name$}{:>figure$}{mean:>figure$}", "", "now");
        Line::styled(text.trim_end().to_owned(), self.quiet())
    }

    fn draw_row(&self, frame: &mut Frame<'_>, place: Rect, row: &Row<'_>, has_mean: bool) {
        let mean_width = if has_mean { FIGURE_WIDTH } else { 0 };
        let [name, now, mean, _, line] = Layout::horizontal([
            Constraint::Length(NAME_WIDTH),
            Constraint::Length(FIGURE_WIDTH),
            Constraint::Length(mean_width),
            Constraint::Length(2),
            Constraint::Fill(1),
        ])
        .areas(place);
        let is_part = row.name.starts_with(' ');
        let style = if is_part { self.quiet() } else { Style::new() };
        frame.render_widget(Paragraph::new(row.name).style(style), name);
        let figure = |text: String| Paragraph::new(text).right_aligned();
        frame.render_widget(figure(row.now()).style(style), now);
        if has_mean {
            frame.render_widget(figure(row.mean()).style(style), mean);
        }
        if line.width >= SPARKLINE_MIN {
            let begin = row.series.len().saturating_sub(line.width.into());
            let shown = &row.series[begin..];
            let highest = shown.iter().flatten().copied().fold(0.0, f64::max);
            let bars = shown.iter().map(|value| bar(*value, highest));
            let sparkline = Sparkline::default()
                .data(bars.collect::<Vec<_>>())
                .max(BAR_HEIGHTS)
                .style(self.accent());
            frame.render_widget(sparkline, line);
        }
    }

    fn coloured(&self, colour: Color) -> Style {
        if self.has_colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    fn accent(&self) -> Style {
        self.coloured(Color::Cyan)
    }

    fn alarming(&self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn quiet(&self) -> Style {
        self.coloured(Color::DarkGray)
    }

    fn bold(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// A value of a series as a bar. Rounded up, so that a single refusal is seen.
fn bar(value: Option<f64>, highest: f64) -> SparklineBar {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no value is higher than the highest, and none is below 0"
    )]
    let height = value.map(|value| match highest > 0.0 {
        true => (value / highest * BAR_HEIGHTS as f64).ceil() as u64,
        false => 0,
    });
    height.into()
}

/// The lines of the screen that are still free.
struct Lines {
    rest: Rect,
}

impl Lines {
    /// The next line; `None` at the bottom.
    fn take(&mut self) -> Option<Rect> {
        if self.rest.height == 0 {
            return None;
        }
        let line = Rect {
            height: 1,
            ..self.rest
        };
        self.rest.y += 1;
        self.rest.height -= 1;
        Some(line)
    }

    fn put(&mut self, frame: &mut Frame<'_>, line: Line<'_>) {
        if let Some(place) = self.take() {
            frame.render_widget(line, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::stats::tests::stats;
    use super::*;

    fn screen() -> Screen {
        Screen {
            url: "http://127.0.0.1:8080".to_owned(),
            stats: stats(),
            trouble: None,
            has_colours: true,
        }
    }

    fn terminal(screen: &Screen, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal
    }

    fn lines(screen: &Screen, width: u16, height: u16) -> Vec<String> {
        let terminal = terminal(screen, width, height);
        let buffer = terminal.backend().buffer();
        let cells = buffer.content.chunks(width.into());
        let line = |cells: &[ratatui::buffer::Cell]| {
            let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
            text.trim_end().to_owned()
        };
        cells.map(line).collect()
    }

    #[test]
    fn the_screen_has_figures_sparklines_and_refused_users() {
        assert_eq!(
            lines(&screen(), 80, 24),
            [
                "streamgate top http://127.0.0.1:8080 20:14:07 q quits",
                "",
                "live sessions 12345   users watching 9876",
                "",
                "                      now   1 minute",
                "starts              3.0/s      2.0/s   ▃▆█",
                "refusals            1.0/s      0.3/s     █",
                "heartbeats        420.0/s    410.0/s   ███",
                "ended               3.0/s      1.7/s   ▃▃█",
                "  stopped           2.0/s      1.0/s   ▄ █",
                "  expired           1.0/s      0.7/s    ██",
                "  evicted           0.0/s      0.0/s",
                "  terminated        0.0/s      0.0/s",
                "  revoked           0.0/s      0.0/s",
                "p50               0.06 ms    0.06 ms   ▇ █",
                "p99                 12 ms    6.95 ms   ▁ █",
                "",
                "most refused users, 2 minutes",
                "       7  20:14:06  anna",
                "       2  20:13:00  bob\u{fffd}2J",
                "",
                "",
                "",
                "",
            ]
        );
    }

    #[test]
    fn a_narrow_terminal_has_the_last_values_and_a_low_one_the_first_lines() {
        let narrow = lines(&screen(), 26, 10);
        assert_eq!(narrow[0], "streamgate top http://127.");
        assert_eq!(narrow[5], "starts              3.0/s");
        assert_eq!(narrow.len(), 10);
        for (width, height) in [(1, 1), (3, 2), (200, 3), (20, 100), (0, 0)] {
            lines_fit(width, height);
        }
    }

    fn lines_fit(width: u16, height: u16) {
        let terminal = terminal(&screen(), width, height);
        let buffer = terminal.backend().buffer();
        assert_eq!((buffer.area.width, buffer.area.height), (width, height));
    }

    #[test]
    fn a_server_that_is_away_is_told_with_since_when() {
        let mut screen = screen();
        screen.trouble = Some(Trouble {
            why: "connection refused".to_owned(),
            for_s: 7,
        });
        let shown = lines(&screen, 80, 24);
        assert_eq!(
            shown[1],
            "no answer for 7 s, trying again: connection refused"
        );
        assert!(shown.contains(&"live sessions 12345   users watching 9876".to_owned()));
    }

    #[test]
    fn without_colours_nothing_is_coloured() {
        let is_coloured = |has_colours| {
            let screen = Screen {
                has_colours,
                ..screen()
            };
            let terminal = terminal(&screen, 80, 24);
            let buffer = terminal.backend().buffer();
            buffer.content.iter().any(|cell| cell.fg != Color::Reset)
        };
        assert!(is_coloured(true));
        assert!(!is_coloured(false));
    }
}
