//! Plots as SVG: lines over time or by percentile, and bars with ranges. Small functions over plain
//! data.

use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::page::escaped;
use crate::figures::rate;

/// Width of a plot in its own units; a page scales it.
const WIDTH: u32 = 900;

/// Height of a plot with lines.
const HEIGHT: u32 = 360;

/// Height of a bar, with the space around it.
const BAR_HEIGHT: u32 = 44;

/// Room for what stands below and above the bars.
const AROUND_BARS: u32 = 70;

const FONT: &str = "system-ui,sans-serif";
const FONT_SIZE: u32 = 14;

/// What is written.
pub(super) const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
/// The two axes.
pub(super) const AXIS: RGBColor = RGBColor(0x8c, 0x95, 0x9f);
/// What helps the eye along.
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xe2, 0xe7);
/// One a line, and then again.
pub(super) const SERIES: [RGBColor; 8] = [
    RGBColor(0x09, 0x69, 0xda),
    RGBColor(0xbc, 0x4c, 0x00),
    RGBColor(0x1a, 0x7f, 0x37),
    RGBColor(0x82, 0x50, 0xdf),
    RGBColor(0xcf, 0x22, 0x2e),
    RGBColor(0x1b, 0x7c, 0x83),
    RGBColor(0xbf, 0x39, 0x89),
    RGBColor(0x9a, 0x67, 0x00),
];

/// A plot cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plot cannot be drawn: {0}")]
pub struct PlotError(String);

/// A plot with lines.
#[derive(Debug, Clone)]
pub struct Lines {
    /// What it shows.
    pub title: String,
    /// What goes from left to right.
    pub x: Axis,
    /// What goes upwards.
    pub y: Axis,
    /// The lines.
    pub lines: Vec<Line>,
}

/// An axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// How it is divided.
    pub scale: Scale,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// Each step ten times the one before. Values at or below zero are left out.
    Log,
    /// Percentiles: each step is another nine, as in 90, 99, 99.9. Values of 100 are left out.
    Nines,
}

/// A line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// Where it goes.
    pub points: Vec<(f64, f64)>,
}

/// A plot with bars.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// The unit.
    pub unit: String,
    /// The bars, from above.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it is called.
    pub name: String,
    /// How long it is, such as the median of several runs.
    pub value: f64,
    /// The least and the most of these runs, if there were several.
    pub range: Option<(f64, f64)>,
    /// Where it should end, if something was asked for.
    pub goal: Option<f64>,
}

impl Axis {
    /// An axis.
    #[must_use]
    pub fn new(label: &str, scale: Scale) -> Self {
        Self {
            label: label.to_owned(),
            scale,
        }
    }
}

impl Line {
    /// A line.
    #[must_use]
    pub fn new(name: String, points: Vec<(f64, f64)>) -> Self {
        Self { name, points }
    }
}

impl Bar {
    /// Where the last of what is drawn of it is.
    fn end(&self) -> f64 {
        let range = self.range.map_or(self.value, |range| range.1);
        self.value.max(range).max(self.goal.unwrap_or(self.value))
    }
}

impl Scale {
    /// Where a value is on the axis; nowhere, if it is not on it.
    fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Nines => -(1.0 - value / 100.0).log10(),
        };
        place.is_finite().then_some(place)
    }

    /// What stands at a place of the axis.
    fn label(self, place: f64) -> String {
        match self {
            Self::Linear => short(place),
            Self::Log => short(10_f64.powf(place)),
            Self::Nines => format!("{}%", short(100.0 - 100.0 * 10_f64.powf(-place))),
        }
    }

    /// From where to where an axis goes that shows these places.
    fn range(self, places: impl Iterator<Item = f64>) -> (f64, f64) {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for place in places {
            least = least.min(place);
            most = most.max(place);
        }
        if least > most {
            return (0.0, 1.0);
        }
        match self {
            Self::Linear => (least.min(0.0), if most > 0.0 { most * 1.05 } else { 1.0 }),
            Self::Nines => (0.0, most.max(1.0)),
            // Whole powers of ten have names; so each end is one.
            Self::Log => {
                let (least, most) = (least.floor(), most.ceil());
                (least, if most > least { most } else { least + 1.0 })
            }
        }
    }
}

impl Lines {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// Fails if the library cannot.
    pub fn svg(&self) -> Result<String, PlotError> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(PlotError)?;
        Ok(titled(&svg, &self.title))
    }

    fn draw(&self, svg: &mut String) -> Result<(), String> {
        let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        let lines: Vec<Vec<(f64, f64)>> = self.lines.iter().map(|line| self.places(line)).collect();
        let points = || lines.iter().flatten();
        let (x_least, x_most) = self.x.scale.range(points().map(|point| point.0));
        let (y_least, y_most) = self.y.scale.range(points().map(|point| point.1));
        let mut chart = ChartBuilder::on(&root)
            .margin(10)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(x_least..x_most, y_least..y_most)
            .map_err(text)?;
        let steps = |scale: Scale, most: f64, least: f64| match scale {
            Scale::Linear => 10,
            // No more than there are whole ones.
            Scale::Log | Scale::Nines => whole(most - least) + 1,
        };
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_labels(steps(self.x.scale, x_most, x_least))
            .y_labels(steps(self.y.scale, y_most, y_least))
            .x_label_formatter(&|place| self.x.scale.label(*place))
            .y_label_formatter(&|place| self.y.scale.label(*place))
            .label_style((FONT, FONT_SIZE, &INK))
            .axis_desc_style((FONT, FONT_SIZE, &INK))
            .axis_style(AXIS)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(text)?;
        for ((line, points), color) in self.lines.iter().zip(lines).zip(SERIES.iter().cycle()) {
            // A line of one point is none.
            let single = (points.len() == 1).then(|| points.clone());
            let style = color.stroke_width(2);
            let drawn = chart.draw_series(LineSeries::new(points, style));
            let drawn = drawn.map_err(text)?;
            drawn.label(&line.name).legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(3))
            });
            let dots = single.into_iter().flatten();
            let dots = dots.map(|point| Circle::new(point, 4, color.filled()));
            chart.draw_series(dots).map_err(text)?;
        }
        if self.lines.len() > 1 {
            // Where the least is drawn: a distribution only rises.
            let place = match self.x.scale {
                Scale::Nines => SeriesLabelPosition::LowerRight,
                Scale::Linear | Scale::Log => SeriesLabelPosition::UpperLeft,
            };
            chart
                .configure_series_labels()
                .position(place)
                .label_font((FONT, FONT_SIZE, &INK))
                .margin(6)
                .draw()
                .map_err(text)?;
        }
        root.present().map_err(text)
    }

    /// Where a line goes, on the axes.
    fn places(&self, line: &Line) -> Vec<(f64, f64)> {
        let places = line.points.iter();
        let place = |(x, y): &(f64, f64)| Some((self.x.scale.place(*x)?, self.y.scale.place(*y)?));
        places.filter_map(place).collect()
    }
}

impl Bars {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// Fails if a bar has no end, or if the library cannot.
    pub fn svg(&self) -> Result<String, PlotError> {
        // On an axis without an end the library would look for the next label forever.
        let is_endless = |bar: &&Bar| !(bar.value.is_finite() && bar.end().is_finite());
        if let Some(endless) = self.bars.iter().find(is_endless) {
            return Err(PlotError(format!("{} has no end", endless.name)));
        }
        let mut svg = String::new();
        self.draw(&mut svg).map_err(PlotError)?;
        Ok(titled(&svg, &self.title))
    }

    fn draw(&self, svg: &mut String) -> Result<(), String> {
        let count = u32::try_from(self.bars.len()).unwrap_or(u32::MAX).max(1);
        let height = count.saturating_mul(BAR_HEIGHT).saturating_add(AROUND_BARS);
        let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
        let most = self.most();
        let names = self.bars.iter().map(|bar| bar.name.chars().count());
        let width = u32::try_from(names.max().unwrap_or(0)).unwrap_or(u32::MAX);
        let mut chart = ChartBuilder::on(&root)
            .margin(10)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(width.saturating_mul(8).saturating_add(20).min(WIDTH / 3))
            .build_cartesian_2d(0.0..most, (0..count - 1).into_segmented())
            .map_err(text)?;
        let name = |value: &SegmentValue<u32>| match value {
            SegmentValue::CenterOf(place) => self.below(*place).map(|bar| bar.name.clone()),
            _ => None,
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_desc(&self.unit)
            .x_labels(8)
            .y_labels(self.bars.len() + 1)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| name(value).unwrap_or_default())
            .label_style((FONT, FONT_SIZE, &INK))
            .axis_desc_style((FONT, FONT_SIZE, &INK))
            .axis_style(AXIS)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(text)?;
        for place in 0..count {
            let Some(bar) = self.below(place) else {
                continue;
            };
            let corners = [
                (0.0, SegmentValue::Exact(place)),
                (bar.value, SegmentValue::Exact(place + 1)),
            ];
            let [color, ..] = SERIES;
            let mut body = Rectangle::new(corners, color.mix(0.85).filled());
            body.set_margin(9, 9, 0, 0);
            chart.draw_series([body]).map_err(text)?;
            let center = || SegmentValue::CenterOf(place);
            let ends = bar.range.map(|(least, most)| [least, most]);
            if let Some(ends) = ends {
                let range = ends.map(|end| (end, center())).to_vec();
                let range = PathElement::new(range, INK.stroke_width(2));
                chart.draw_series([range]).map_err(text)?;
            }
            let caps = ends.into_iter().flatten();
            let caps = caps.map(|end| (end, 6, INK.stroke_width(2)));
            let [_, _, _, _, goal_color, ..] = SERIES;
            let goal = bar.goal.map(|goal| (goal, 15, goal_color.stroke_width(3)));
            for (at, reach, style) in caps.chain(goal) {
                let tick = EmptyElement::at((at, center()))
                    + PathElement::new(vec![(0, -reach), (0, reach)], style);
                chart.draw_series([tick]).map_err(text)?;
            }
            let style = TextStyle::from((FONT, FONT_SIZE).into_font()).color(&INK);
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            let figure = EmptyElement::at((bar.end(), center()))
                + Text::new(short(bar.value), (8, 0), style);
            chart.draw_series([figure]).map_err(text)?;
        }
        root.present().map_err(text)
    }

    /// Where the axis ends: there is room for the figure behind the longest bar.
    fn most(&self) -> f64 {
        let most = self.bars.iter().map(Bar::end).fold(0.0, f64::max);
        if most > 0.0 { most * 1.15 } else { 1.0 }
    }

    /// Bars are drawn from below, and read from above.
    fn below(&self, place: u32) -> Option<&Bar> {
        self.bars.iter().rev().nth(usize::try_from(place).ok()?)
    }
}

/// Three digits that count, or all that stand before the point.
fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
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

/// A whole number of steps.
fn whole(length: f64) -> usize {
    // At most the digits of a number that a histogram can hold.
    (0_u8..32).filter(|step| f64::from(*step) < length).count()
}

/// Names a plot for those who do not see it.
fn titled(svg: &str, title: &str) -> String {
    let title = escaped(title);
    let begin = format!("<svg role=\"img\" aria-label=\"{title}\" ");
    svg.replacen("<svg ", &begin, 1)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
