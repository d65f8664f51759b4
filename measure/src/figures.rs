//! Figures of several rounds, and the size of a directory.

use std::path::Path;

use serde::Serialize;

/// What all rounds say of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of the values of the rounds; `None` without any.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        let median = f64::midpoint(below, above);
        Some(Self {
            median,
            least,
            most,
        })
    }

    /// The range, if it is one.
    pub(crate) fn range(self) -> Option<(f64, f64)> {
        (self.least < self.most).then_some((self.least, self.most))
    }

    /// The median, then the range in parentheses.
    pub(crate) fn text(self, show: impl Fn(f64) -> String) -> String {
        let median = show(self.median);
        match self.range() {
            None => median,
            Some((least, most)) => format!("{median} ({}–{})", show(least), show(most)),
        }
    }
}

/// The median; 0 of no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    Spread::of(values).map_or(0.0, |spread| spread.median)
}

/// Ratios round by round: what slowed the machine down in a round slowed both down.
pub(crate) fn ratios(of: &[f64], against: &[f64]) -> Vec<f64> {
    of.iter()
        .zip(against)
        .map(|(of, against)| of / against)
        .collect()
}

/// Bytes that the files below a directory take on disk, not their nominal length.
pub(crate) fn disk_bytes(dir: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            meta.blocks() * 512
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_both_ends() {
        for (values, median, range) in [
            (vec![7.0], 7.0, None),
            (vec![9.0, 1.0], 5.0, Some((1.0, 9.0))),
            (vec![3.0, 9.0, 1.0, 2.0, 8.0], 3.0, Some((1.0, 9.0))),
        ] {
            let spread = Spread::of(&values).unwrap();
            assert!((spread.median - median).abs() < 1e-9, "{values:?}");
            assert_eq!(spread.range(), range);
        }
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn the_median_of_ratios_is_not_the_ratio_of_medians() {
        // In the second round the machine was half as fast, for both.
        let spread = Spread::of(&ratios(&[12.0, 30.0, 13.0], &[10.0, 20.0, 10.0])).unwrap();
        assert_eq!((spread.median, spread.range()), (1.3, Some((1.2, 1.5))));
        let text = spread.text(|value| format!("{value:.1}"));
        assert_eq!(text, "1.3 (1.2–1.5)");
    }
}
