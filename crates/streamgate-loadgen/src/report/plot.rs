//! Plots as SVG: lines over time or by percentile, and bars with ranges. Colours are classes that
//! the page defines, for light and for dark mode.

use std::fmt::Write as _;

use super::escape::escaped;
use crate::figures::rate;

/// Width of a plot in its own units; a page scales it.
const WIDTH: f64 = 900.0;

/// Height of a plot with lines.
const HEIGHT: f64 = 360.0;

/// Height of a bar, with the space around it.
const BAR_HEIGHT: f64 = 44.0;

/// Space around the area of the data: for labels below it, and above and to the right of it.
const BELOW: f64 = 44.0;
const AROUND: f64 = 24.0;

/// Colours of lines, after which they begin anew.
pub(super) const SERIES: usize = 8;

/// A plot with lines.
#[derive(Debug, Clone)]
pub struct Lines {
    /// What it shows.
    pub title: String,
    /// What goes from left to right, with its unit.
    pub x: (String, Scale),
    /// What goes upwards, with its unit.
    pub y: (String, Scale),
    /// The lines.
    pub lines: Vec<Line>,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// By powers of ten.
    Log,
    /// By nines, for percentages: 0, 90, 99, 99.9.
    Nines,
}

/// A line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A plot with bars, the first on top.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// The unit.
    pub unit: String,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone, Default)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Where it ends.
    pub value: f64,
    /// The least and the most that were measured.
    pub range: Option<(f64, f64)>,
    /// The goal, if there is one.
    pub goal: Option<f64>,
}

impl Line {
    /// A line.
    #[must_use]
    pub fn new(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (name, points) = (name.to_owned(), points.into_iter().collect());
        Self { name, points }
    }
}

impl Scale {
    /// The position of a value on the axis, if it has one.
    fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Nines => -(1.0 - value / 100.0).log10(),
        };
        place.is_finite().then_some(place)
    }

    /// The label at a position.
    fn label(self, place: f64) -> String {
        match self {
            Self::Linear => short(place),
            Self::Log => short(10_f64.powf(place)),
            Self::Nines => format!("{}%", short(100.0 - 100.0 * 10_f64.powf(-place))),
        }
    }

    /// The two ends of an axis that shows these positions.
    fn range(self, places: impl Iterator<Item = f64>) -> (f64, f64) {
        let ends = |(least, most): (f64, f64), place| (least.min(place), most.max(place));
        let (least, most) = places.fold((f64::INFINITY, f64::NEG_INFINITY), ends);
        match self {
            _ if least > most => (0.0, 1.0),
            Self::Linear => (least.min(0.0), if most > 0.0 { most * 1.05 } else { 1.0 }),
            Self::Nines => (0.0, most.max(1.0)),
            // Whole powers of ten have labels; so each end is one.
            Self::Log => (least.floor(), most.ceil().max(least.floor() + 1.0)),
        }
    }

    /// The positions with labels between these ends: about eight, or every power.
    fn ticks(self, (least, most): (f64, f64)) -> Vec<f64> {
        let mut step = 1.0;
        if self == Self::Linear {
            let about = (most - least) / 8.0;
            let power = 10_f64.powf(about.log10().floor());
            let steps = [1.0, 2.0, 5.0].map(|step| step * power).into_iter();
            step = steps
                .filter(|step| *step >= about)
                .fold(10.0 * power, f64::min);
        }
        let first = (least / step).ceil() * step;
        let ticks = (0_u8..64).map(|number| first + f64::from(number) * step);
        ticks.take_while(|tick| *tick <= most).collect()
    }
}

impl Lines {
    /// A plot with these axes: what each shows, and how it is divided.
    #[must_use]
    pub fn new(title: &str, x: (&str, Scale), y: (&str, Scale), lines: Vec<Line>) -> Self {
        Self {
            title: title.to_owned(),
            x: (x.0.to_owned(), x.1),
            y: (y.0.to_owned(), y.1),
            lines,
        }
    }

    pub(super) fn svg(&self) -> String {
        let (x, y) = (self.x.1, self.y.1);
        let place = |(a, b): &(f64, f64)| Some((x.place(*a)?, y.place(*b)?));
        let places = |line: &Line| line.points.iter().filter_map(place).collect();
        let lines: Vec<Vec<(f64, f64)>> = self.lines.iter().map(places).collect();
        let all = || lines.iter().flatten();
        let ends = (x.range(all().map(|at| at.0)), y.range(all().map(|at| at.1)));
        let mut area = Area::new(84.0, HEIGHT, ends);
        area.x_axis(&self.x.0, x);
        for tick in y.ticks(ends.1) {
            let (left, right, at) = (area.left, WIDTH - AROUND, area.y(tick));
            area.line("grid", (left, at), (right, at));
            area.text("end", (left - 6.0, at + 5.0), &y.label(tick));
        }
        let middle = (HEIGHT - BELOW + AROUND) / 2.0;
        let turned = format!("<g transform=\"rotate(-90 14 {middle})\">");
        area.svg.push_str(&turned);
        area.text("middle", (14.0, middle), &self.y.0);
        area.svg.push_str("</g>");
        for (number, points) in lines.iter().enumerate() {
            let class = format!("s{}", number % SERIES);
            let at = |(a, b): &(f64, f64)| format!("{:.1},{:.1}", area.x(*a), area.y(*b));
            let path = points.iter().map(at).collect::<Vec<_>>().join(" ");
            // One point makes no line.
            let drawn = match points[..] {
                [(a, b)] => {
                    let (a, b) = (area.x(a), area.y(b));
                    format!("<circle class=\"{class}\" cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"4\"/>")
                }
                _ => format!("<polyline class=\"{class}\" points=\"{path}\"/>"),
            };
            area.svg.push_str(&drawn);
        }
        self.legend(&mut area);
        area.finish(&self.title)
    }

    /// The names of several lines, where the fewest lines are: a distribution only rises.
    fn legend(&self, area: &mut Area) {
        let count = f64::from(u16::try_from(self.lines.len()).unwrap_or(u16::MAX));
        let (left, top) = match self.x.1 {
            Scale::Nines => (WIDTH - 320.0, HEIGHT - BELOW - 18.0 * count - 8.0),
            Scale::Linear | Scale::Log => (area.left + 12.0, AROUND + 12.0),
        };
        let mut at = top;
        for (number, line) in self.lines.iter().enumerate().filter(|_| count > 1.0) {
            area.line(
                &format!("s{}", number % SERIES),
                (left, at),
                (left + 18.0, at),
            );
            area.text("start", (left + 26.0, at + 5.0), &line.name);
            at += 18.0;
        }
    }
}

impl Bars {
    pub(super) fn svg(&self) -> String {
        let end = |bar: &Bar| {
            let range = bar.range.map_or(bar.value, |range| range.1);
            bar.value.max(range).max(bar.goal.unwrap_or(bar.value))
        };
        let ends = self.bars.iter().map(end).filter(|end| end.is_finite());
        // Room for the figure behind the longest bar.
        let most = ends.fold(0.0, f64::max) * 1.15;
        let count = f64::from(u16::try_from(self.bars.len()).unwrap_or(u16::MAX));
        let names = self.bars.iter().map(|bar| bar.name.chars().count());
        let width = u16::try_from(names.max().unwrap_or(0)).unwrap_or(u16::MAX);
        let left = (f64::from(width) * 8.0 + 20.0).min(WIDTH / 2.0);
        let most = if most > 0.0 { most } else { 1.0 };
        let height = count * BAR_HEIGHT + AROUND + BELOW;
        let mut area = Area::new(left, height, ((0.0, most), (0.0, count)));
        area.x_axis(&self.unit, Scale::Linear);
        for (number, bar) in (0_u16..).zip(&self.bars) {
            let middle = AROUND + (f64::from(number) + 0.5) * BAR_HEIGHT;
            let (top, length) = (middle - 13.0, area.x(bar.value) - left);
            let _ = write!(
                area.svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{length:.1}\" height=\"26\"/>"
            );
            if let Some((least, most)) = bar.range.map(|(a, b)| (area.x(a), area.x(b))) {
                area.line("ink", (least, middle), (most, middle));
                for cap in [least, most] {
                    area.line("ink", (cap, middle - 6.0), (cap, middle + 6.0));
                }
            }
            if let Some(goal) = bar.goal.map(|goal| area.x(goal)) {
                area.line("goal", (goal, middle - 15.0), (goal, middle + 15.0));
            }
            area.text("end", (left - 8.0, middle + 5.0), &bar.name);
            let figure = (area.x(end(bar)) + 8.0, middle + 5.0);
            area.text("start", figure, &short(bar.value));
        }
        area.finish(&self.title)
    }
}

/// The area of the data between its axes, and what is drawn of the plot so far.
struct Area {
    svg: String,
    left: f64,
    height: f64,
    x_ends: (f64, f64),
    y_ends: (f64, f64),
}

impl Area {
    fn new(left: f64, height: f64, (x_ends, y_ends): ((f64, f64), (f64, f64))) -> Self {
        Self {
            svg: String::new(),
            left,
            height,
            x_ends,
            y_ends,
        }
    }

    /// Where a position of the x axis is drawn; what lies beyond its end, at the end.
    fn x(&self, place: f64) -> f64 {
        let part = (place - self.x_ends.0) / (self.x_ends.1 - self.x_ends.0);
        self.left + part.clamp(0.0, 1.0) * (WIDTH - AROUND - self.left)
    }

    /// The same of the y axis.
    fn y(&self, place: f64) -> f64 {
        let part = (place - self.y_ends.0) / (self.y_ends.1 - self.y_ends.0);
        let bottom = self.height - BELOW;
        bottom - part.clamp(0.0, 1.0) * (bottom - AROUND)
    }

    fn x_axis(&mut self, label: &str, scale: Scale) {
        let bottom = self.height - BELOW;
        for tick in scale.ticks(self.x_ends) {
            let at = self.x(tick);
            self.line("grid", (at, AROUND), (at, bottom));
            self.text("middle", (at, bottom + 18.0), &scale.label(tick));
        }
        self.line("axis", (self.left, bottom), (WIDTH - AROUND, bottom));
        self.line("axis", (self.left, AROUND), (self.left, bottom));
        let middle = f64::midpoint(self.left, WIDTH - AROUND);
        self.text("middle", (middle, bottom + 38.0), label);
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        // Writing to a String cannot fail.
        let _ = write!(
            self.svg,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    fn text(&mut self, anchor: &str, (x, y): (f64, f64), text: &str) {
        let text = escaped(text);
        let _ = write!(
            self.svg,
            "<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        );
    }

    /// The whole plot, with its title for screen readers.
    fn finish(self, title: &str) -> String {
        let (title, height, svg) = (escaped(title), self.height, self.svg);
        format!(
            "<svg role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {WIDTH} {height}\">{svg}</svg>"
        )
    }
}

/// Three digits that count, or all that stand before the point.
fn short(value: f64) -> String {
    if value.abs() >= 100.0 {
        return rate(value);
    }
    // Long enough for a percentile of many nines.
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "" | "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_may_have_ranges_and_goals() {
        let bar = |name: &str, value: f64, range| Bar {
            name: name.to_owned(),
            value,
            range,
            goal: None,
        };
        let mut bars = Bars {
            title: "CPU".to_owned(),
            unit: "µs a request".to_owned(),
            bars: vec![
                bar("bare axum", 9.1, Some((8.7, 11.5))),
                bar("streamgate", 10.2, Some((9.9, 10.9))),
                bar("nothing", 0.0, None),
            ],
        };
        let svg = bars.svg();
        for there in ["bare axum", "streamgate", "nothing", "9.1", "µs a request"] {
            assert!(svg.contains(&format!(">{there}</text>")), "{there}: {svg}");
        }
        let goals = |svg: &str| svg.matches("class=\"goal\"").count();
        assert_eq!(goals(&svg), 0);
        bars.bars[1].goal = Some(12.0);
        bars.bars[2].value = f64::INFINITY;
        let svg = bars.svg();
        assert_eq!(goals(&svg), 1);
        let numbers = svg.replace(">inf<", "");
        assert!(
            !numbers.contains("inf") && !numbers.contains("NaN"),
            "{svg}"
        );
        bars.bars.clear();
        assert!(bars.svg().starts_with("<svg "));
    }

    #[test]
    fn axes_have_a_few_round_labels() {
        let labels = |scale: Scale, ends| -> Vec<String> {
            scale
                .ticks(ends)
                .into_iter()
                .map(|tick| scale.label(tick))
                .collect()
        };
        let linear = labels(Scale::Linear, (0.0, 63_000.0));
        assert_eq!(linear[1..3], ["10,000", "20,000"]);
        assert_eq!(labels(Scale::Linear, (0.0, 1.05)).len(), 6);
        assert_eq!(labels(Scale::Log, (-1.0, 2.0)), ["0.1", "1", "10", "100"]);
        assert_eq!(
            labels(Scale::Nines, (0.0, 3.2)),
            ["0%", "90%", "99%", "99.9%"]
        );
    }
}
