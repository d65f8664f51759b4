//! A window of the last hour, as series of points: one a second, or one in ten seconds.

use streamgate_core::EndReason;

use super::second::{Ring, STEP_MAX_S, Second};

/// Windows longer than this, in seconds, have points of ten seconds.
const FINE_MAX_S: u64 = 600;

/// What a node did during one step of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// A second.
    pub(crate) starts: f64,
    /// A second.
    pub(crate) refusals: f64,
    /// A second.
    pub(crate) heartbeats: f64,
    /// A second, in the order of [`EndReason::ALL`].
    pub(crate) ended: [f64; EndReason::ALL.len()],
    /// At the end of the step.
    pub(crate) live_sessions: u32,
    /// At the end of the step.
    pub(crate) watching_users: u32,
    /// The mean of the seconds' medians.
    pub(crate) p50_ms: Option<f64>,
    /// The highest of the seconds' percentiles.
    pub(crate) p99_ms: Option<f64>,
}

/// A window: its points, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    /// The length of a step, in seconds.
    pub(crate) step_s: u64,
    /// The second that ends the first point, or the next one to come if there is none.
    pub(crate) first: u64,
    /// `None` where the node did not run.
    pub(crate) points: Vec<Option<Point>>,
}

impl Window {
    /// The last `window_s` seconds; only the points behind the second `after`, if that is given.
    /// `now` is the last second where there is none yet.
    pub(super) fn of(ring: &Ring, window_s: u64, after: Option<u64>, now: u64) -> Self {
        let step_s = if window_s > FINE_MAX_S {
            STEP_MAX_S.into()
        } else {
            1
        };
        // Points end at multiples of the step, so that they stay the same from call to call.
        let last = ring.last().unwrap_or(now) / step_s;
        let whole = last.saturating_sub(window_s.div_ceil(step_s)) + 1;
        let begin = after.map_or(whole, |after| whole.max(after / step_s + 1));
        let point = |index: u64| {
            let end = index * step_s;
            let seconds = (0..step_s).rev().filter_map(|back| end.checked_sub(back));
            Point::of(seconds.filter_map(|number| ring.get(number)))
        };
        Self {
            step_s,
            first: begin.min(last + 1) * step_s,
            points: (begin..=last).map(point).collect(),
        }
    }
}

impl Point {
    /// Folds seconds, in their order; `None` if there is none.
    fn of<'a>(seconds: impl Iterator<Item = &'a Second>) -> Option<Self> {
        let seconds: Vec<&Second> = seconds.collect();
        let last = seconds.last()?;
        let rate = |count: &dyn Fn(&Second) -> u32| {
            let counts = seconds.iter().map(|second| f64::from(count(second)));
            counts.sum::<f64>() / seconds.len() as f64
        };
        let medians: Vec<f64> = seconds
            .iter()
            .filter_map(|second| second.p50_ms.map(f64::from))
            .collect();
        let highest = seconds
            .iter()
            .filter_map(|second| second.p99_ms.map(f64::from));
        Some(Self {
            starts: rate(&|second| second.starts),
            refusals: rate(&|second| second.refusals),
            heartbeats: rate(&|second| second.heartbeats),
            ended: std::array::from_fn(|reason| rate(&|second| second.ended[reason])),
            live_sessions: last.live_sessions,
            watching_users: last.watching_users,
            p50_ms: (!medians.is_empty())
                .then(|| medians.iter().sum::<f64>() / medians.len() as f64),
            p99_ms: highest.reduce(f64::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(seconds: impl IntoIterator<Item = (u64, Second)>) -> Ring {
        let mut ring = Ring::new();
        for (number, second) in seconds {
            ring.add(number, second);
        }
        ring
    }

    fn second(starts: u32, p50: f32, p99: f32) -> Second {
        Second {
            starts,
            live_sessions: starts,
            p50_ms: Some(p50),
            p99_ms: Some(p99),
            ..Second::default()
        }
    }

    #[test]
    fn a_short_window_has_a_point_a_second_and_ends_with_the_last_one() {
        let ring = ring((100..110).map(|number| (number, second(1, 1.0, 2.0))));
        let window = Window::of(&ring, 60, None, 500);
        assert_eq!(
            (window.step_s, window.first, window.points.len()),
            (1, 50, 60)
        );
        assert!(window.points[..50].iter().all(Option::is_none));
        assert!(window.points[50..].iter().all(Option::is_some));
    }

    #[test]
    fn a_long_window_folds_ten_seconds_into_a_point() {
        let ring = ring((1..=25_u32).map(|n| {
            let ms = n as f32;
            (u64::from(n), second(n, ms, 10.0 * ms))
        }));
        let window = Window::of(&ring, 3_600, None, 25);
        assert_eq!(window.step_s, 10);
        // The seconds from 21 on are in no whole point yet.
        let [.., before, last] = window.points[..] else {
            panic!("{window:?}");
        };
        let last = last.unwrap();
        assert_eq!((last.starts, last.live_sessions), (15.5, 20));
        assert_eq!((last.p50_ms, last.p99_ms), (Some(15.5), Some(200.0)));
        assert_eq!(before.unwrap().starts, 5.5);
    }

    #[test]
    fn a_point_of_which_a_part_is_missing_is_the_rate_of_the_rest() {
        let quiet = Second {
            starts: 2,
            ..Second::default()
        };
        let ring = ring([(1, quiet), (2, quiet), (9, quiet), (10, quiet)]);
        let window = Window::of(&ring, 610, None, 10);
        let last = window.points.last().unwrap().unwrap();
        assert_eq!((last.starts, last.p50_ms, last.p99_ms), (2.0, None, None));
    }

    #[test]
    fn a_client_that_has_points_gets_those_behind_them() {
        let ring = ring((1..=2_000).map(|number| (number, second(1, 1.0, 1.0))));
        let window = |window_s, after| {
            let window = Window::of(&ring, window_s, after, 2_000);
            (window.first, window.points.len())
        };
        assert_eq!(window(300, Some(1_998)), (1_999, 2));
        assert_eq!(window(300, Some(2_000)), (2_001, 0));
        assert_eq!(window(300, Some(9_999)), (2_001, 0));
        assert_eq!(window(300, Some(0)), (1_701, 300));
        assert_eq!(window(1_000, Some(1_980)), (1_990, 2));
        assert_eq!(window(1_000, Some(2_000)), (2_010, 0));
        assert_eq!(window(605, None), (1_400, 61));
    }

    #[test]
    fn a_node_that_has_just_started_has_no_values() {
        let window = Window::of(&Ring::new(), 10, None, 3);
        assert_eq!(window.points.iter().flatten().count(), 0);
        assert_eq!(Window::of(&Ring::new(), 300, None, 1_000).points.len(), 300);
    }
}
