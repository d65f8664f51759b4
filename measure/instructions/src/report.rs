//! What was measured, as a table for people.

use crate::budget::Allowance;

/// A path, what one operation of it takes, and what it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) path: &'static str,
    pub(crate) instructions: u64,
    pub(crate) budget: Option<Allowance>,
}

/// What a measurement means for the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It fits.
    Within,
    /// It takes more than is allowed.
    Over,
    /// It takes so much less that the budget holds nothing any more.
    FarUnder,
    /// There is no budget.
    Unknown,
}

impl Line {
    /// What it means for the budget.
    pub(crate) fn standing(&self) -> Standing {
        let known = self.budget.map(|budget| budget.standing(self.instructions));
        known.unwrap_or(Standing::Unknown)
    }

    /// Its cells: path, measured, budget, difference, tolerance, standing.
    fn cells(&self) -> [String; 6] {
        let standing = match self.standing() {
            Standing::Within => "",
            Standing::Over => "OVER",
            Standing::FarUnder => "FAR UNDER",
            Standing::Unknown => "NO BUDGET",
        };
        let of_budget =
            |cell: &dyn Fn(Allowance) -> String| self.budget.map_or(String::new(), cell);
        [
            self.path.to_owned(),
            self.instructions.to_string(),
            of_budget(&|budget| budget.instructions.to_string()),
            of_budget(&|budget| format!("{:+.1} %", budget.percent_over(self.instructions))),
            of_budget(&|budget| format!("{} %", budget.tolerance_percent)),
            standing.to_owned(),
        ]
    }
}

/// All lines under their heads; numbers to the right.
pub(crate) fn table(lines: &[Line]) -> String {
    let heads = [
        "path",
        "instructions",
        "budget",
        "difference",
        "tolerance",
        "",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(lines.iter().map(Line::cells));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max();
    let widths: [usize; 6] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut text = String::new();
    for row in &rows {
        let [path, numbers @ .., standing] = row;
        let mut line = format!("{path:<0$}", widths[0]);
        for (number, width) in numbers.iter().zip(&widths[1..]) {
            line += &format!("  {number:>width$}");
        }
        line += &format!("  {standing}");
        text += line.trim_end();
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_over_and_what_is_far_under() {
        let line = |path, instructions, budget: Option<u64>| Line {
            path,
            instructions,
            budget: budget.map(|instructions| Allowance {
                instructions,
                tolerance_percent: 2.5,
            }),
        };
        let text = table(&[
            line("a/b", 1_000, Some(1_000)),
            line("a/longer", 1_100, Some(1_000)),
            line("c", 500, Some(1_000)),
            line("d", 7, None),
        ]);
        assert_eq!(
            text,
            "path      instructions  budget  difference  tolerance\n\
             a/b               1000    1000      +0.0 %      2.5 %\n\
             a/longer          1100    1000     +10.0 %      2.5 %  OVER\n\
             c                  500    1000     -50.0 %      2.5 %  FAR UNDER\n\
             d                    7                                 NO BUDGET\n"
        );
    }
}
