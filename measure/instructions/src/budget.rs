//! The budget: how many instructions each path may take, in a file that is committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::Result;

/// What a path may take more than its budget, in percent, unless the file says otherwise.
const TOLERANCE_PERCENT: f64 = 1.0;

/// A path that takes so much less than its budget, in percent, has room to become slow unseen: the
/// budget must follow it.
const FAR_UNDER_PERCENT: f64 = 10.0;

/// How the file begins.
const HEAD: &str = "\
# How many instructions one operation of each path may take, and by how many percent more before the
# check fails. Written by `cargo run --release -p streamgate-instructions -- --write`; tolerances are
# set by hand, and stay.
";

/// What is allowed.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    machine: Machine,
    /// By path.
    paths: BTreeMap<String, Allowance>,
}

/// What decides the count beside the code.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    architecture: String,
    compiler: String,
}

/// What one path may take.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowance {
    /// For one operation.
    instructions: u64,
    /// How much more is let pass.
    tolerance_percent: f64,
}

/// What was measured: paths with the instructions of one operation.
pub(crate) type Counts = [(&'static str, u64)];

/// What a count means for the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Within,
    Over,
    FarUnder,
    NoBudget,
}

/// What is wrong with the paths of a standing, and what to do.
const FAULTS: [(Standing, &str); 3] = [
    (
        Standing::Over,
        "over budget. Make it cheaper, or raise the budget with --write and say in the commit \
         what is worth it.",
    ),
    (
        Standing::FarUnder,
        "far under budget. Lower the budget with --write, so that the gain is kept.",
    ),
    (Standing::NoBudget, "no budget. Give it one with --write."),
];

impl Machine {
    /// This one, with the compiler of the search path.
    pub(crate) fn here() -> Self {
        let said = Command::new("rustc").arg("--version").output();
        let compiler = said.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
        Self {
            architecture: std::env::consts::ARCH.to_owned(),
            compiler: compiler.unwrap_or_default(),
        }
    }
}

impl Allowance {
    /// How far a count is from the budget, in percent of it.
    #[expect(clippy::cast_precision_loss, reason = "percents are for people")]
    fn percent_over(self, instructions: u64) -> f64 {
        let budget = self.instructions as f64;
        (instructions as f64 - budget) * 100.0 / budget
    }
}

impl Budget {
    /// Reads it.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(Into::into);
        let budget = text.and_then(|text| Self::parse(&text));
        budget.map_err(|error| format!("{}: {error}", file.display()).into())
    }

    fn parse(text: &str) -> Result<Self> {
        let budget: Self = toml::from_str(text)?;
        let makes_sense =
            |it: &Allowance| it.instructions > 0 && (0.0..=100.0).contains(&it.tolerance_percent);
        match budget.paths.iter().find(|(_, it)| !makes_sense(it)) {
            Some((path, _)) => Err(format!("{path}: no such budget can be held").into()),
            None => Ok(budget),
        }
    }

    fn standing(&self, (path, instructions): (&str, u64)) -> Standing {
        let Some(allowance) = self.paths.get(path) else {
            return Standing::NoBudget;
        };
        match allowance.percent_over(instructions) {
            over if over > allowance.tolerance_percent => Standing::Over,
            over if over < -FAR_UNDER_PERCENT => Standing::FarUnder,
            _ => Standing::Within,
        }
    }

    /// The counts beside the budget, as a table.
    pub(crate) fn table(&self, counts: &Counts) -> String {
        let mut text = format!(
            "{:<20}  {:>12}  {:>7}  {:>10}  {:>9}\n",
            "path", "instructions", "budget", "difference", "tolerance"
        );
        for &(path, instructions) in counts {
            let standing = match self.standing((path, instructions)) {
                Standing::Within => "",
                Standing::Over => "  OVER",
                Standing::FarUnder => "  FAR UNDER",
                Standing::NoBudget => "  NO BUDGET",
            };
            let allowed = self.paths.get(path).map_or(String::new(), |it| {
                let over = format!("{:+.1} %", it.percent_over(instructions));
                let tolerance = format!("{} %", it.tolerance_percent);
                format!("  {:>7}  {over:>10}  {tolerance:>9}", it.instructions)
            });
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{path:<20}  {instructions:>12}{allowed}{standing}");
        }
        text
    }

    /// Fails, and says what to do, if the counts do not fit; `are_all` if every path was counted.
    pub(crate) fn check(&self, counts: &Counts, here: &Machine, are_all: bool) -> Result<()> {
        let (architecture, compiler) = (&self.machine.architecture, &self.machine.compiler);
        if *architecture != here.architecture {
            let here = &here.architecture;
            return Err(format!(
                "the budget counts instructions of {architecture}; this is {here}"
            )
            .into());
        }
        let mut faults = Vec::new();
        let mut fault = |paths: Vec<&str>, what: &str| {
            if !paths.is_empty() {
                faults.push(format!("{}: {what}", paths.join(", ")));
            }
        };
        for (standing, what) in FAULTS {
            let paths = counts
                .iter()
                .filter(|&&count| self.standing(count) == standing);
            fault(paths.map(|(path, _)| *path).collect(), what);
        }
        let is_gone = |path: &&str| are_all && counts.iter().all(|(it, _)| it != path);
        let gone = self
            .paths
            .keys()
            .map(String::as_str)
            .filter(is_gone)
            .collect();
        fault(gone, "a budget and no path. Take it away with --write.");
        if faults.is_empty() {
            return Ok(());
        }
        if *compiler != here.compiler {
            faults.push(format!(
                "The budget was written with {compiler}, this is {}: that alone moves counts.",
                here.compiler
            ));
        }
        Err(faults.join("\n").into())
    }

    /// The file with these counts as the budget, a line a path. Tolerances stay.
    pub(crate) fn rewritten(&self, counts: &Counts, here: &Machine) -> String {
        let (architecture, compiler) = (&here.architecture, &here.compiler);
        let mut text = format!(
            "{HEAD}\n[machine]\narchitecture = {architecture:?}\ncompiler = {compiler:?}\n\n\
             [paths]\n"
        );
        let sorted: BTreeMap<&str, u64> = counts.iter().copied().collect();
        for (path, instructions) in sorted {
            let tolerance = self
                .paths
                .get(path)
                .map_or(TOLERANCE_PERCENT, |it| it.tolerance_percent);
            let _ = writeln!(
                text,
                "{path:?} = {{ instructions = {instructions}, tolerance_percent = {tolerance:?} }}"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(compiler: &str) -> Machine {
        Machine {
            architecture: "a".to_owned(),
            compiler: compiler.to_owned(),
        }
    }

    fn budget(paths: &[(&str, u64)]) -> Budget {
        let allowance = |&(path, instructions): &(&str, u64)| {
            let tolerance_percent = 2.5;
            let allowance = Allowance {
                instructions,
                tolerance_percent,
            };
            (path.to_owned(), allowance)
        };
        Budget {
            machine: machine("one"),
            paths: paths.iter().map(allowance).collect(),
        }
    }

    /// What is said to these counts, by whichever compiler; nothing if they pass.
    fn said(counts: &Counts, compiler: &str, are_all: bool) -> Vec<String> {
        let budget = budget(&[("a", 1_000), ("b", 1_000), ("c", 1_000), ("gone", 1_000)]);
        match budget.check(counts, &machine(compiler), are_all) {
            Ok(()) => Vec::new(),
            Err(error) => error.to_string().lines().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn the_tolerance_is_above_the_budget_and_ten_percent_are_below_it() {
        let budget = budget(&[("a", 1_000)]);
        for (instructions, standing) in [
            (899, Standing::FarUnder),
            (900, Standing::Within),
            (1_025, Standing::Within),
            (1_026, Standing::Over),
        ] {
            assert_eq!(
                budget.standing(("a", instructions)),
                standing,
                "{instructions}"
            );
        }
    }

    #[test]
    fn a_rewritten_budget_is_read_back_with_its_tolerances() {
        let before = budget(&[("b/c", 9)]);
        let text = before.rewritten(&[("b/c", 12), ("a", 3)], &machine("rustc 1 \"x\""));
        let after = Budget::parse(&text).unwrap();
        assert_eq!(after.machine, machine("rustc 1 \"x\""));
        let allowed = |path: &str| {
            after
                .paths
                .get(path)
                .map(|it| (it.instructions, it.tolerance_percent))
        };
        assert_eq!(allowed("b/c"), Some((12, 2.5)), "its tolerance stays");
        assert_eq!(
            (allowed("a"), allowed("c")),
            (Some((3, TOLERANCE_PERCENT)), None)
        );
    }

    #[test]
    fn a_budget_that_makes_no_sense_is_refused() {
        let file = |line: &str| {
            format!("[machine]\narchitecture = \"a\"\ncompiler = \"c\"\n[paths]\n{line}\n")
        };
        let good = "a = { instructions = 1, tolerance_percent = 0 }";
        assert!(Budget::parse(&file(good)).is_ok());
        for wrong in [
            "a = { instructions = 0, tolerance_percent = 1 }",
            "a = { instructions = 1, tolerance_percent = -1 }",
            "a = { instructions = 1, tolerance_percent = nan }",
            "a = { instructions = 1 }",
            "a = { instructions = 1, tolerance_percent = 1, more = 1 }",
            "a = 1",
        ] {
            assert!(Budget::parse(&file(wrong)).is_err(), "{wrong}");
        }
        assert!(Budget::parse(good).is_err());
    }

    #[test]
    fn each_fault_is_told_with_its_paths_and_what_to_do() {
        let fitting = [("a", 1_001), ("b", 1_000), ("c", 990), ("gone", 1_000)];
        assert!(
            said(&fitting, "other", true).is_empty(),
            "whatever the compiler"
        );
        let counts = [("a", 1_030), ("b", 1_040), ("c", 500), ("d", 50)];
        let all = said(&counts, "one", true);
        let begins = [
            "a, b: over budget.",
            "c: far under budget.",
            "d: no budget.",
            "gone: a budget and",
        ];
        assert_eq!(all.len(), begins.len(), "{all:?}");
        for (line, begin) in all.iter().zip(begins) {
            assert!(line.starts_with(begin), "{line}");
        }
        let one = said(&counts[..1], "two", false);
        assert_eq!(
            one.len(),
            2,
            "one path says nothing about the others: {one:?}"
        );
        assert!(one[1].contains("written with one, this is two"), "{one:?}");
    }

    #[test]
    fn instructions_of_another_architecture_are_not_compared() {
        let error = budget(&[])
            .check(&[], &Machine::default(), true)
            .unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("the budget counts instructions of a;"),
            "{error}"
        );
    }

    #[test]
    fn the_table_marks_what_does_not_fit() {
        let budget = budget(&[("a/b", 1_000), ("a/longer", 1_000), ("c", 1_000)]);
        let text = budget.table(&[("a/b", 1_000), ("a/longer", 1_100), ("c", 500), ("d", 7)]);
        let ends = [
            "tolerance",
            "1000     1000      +0.0 %      2.5 %",
            "+10.0 %      2.5 %  OVER",
            "-50.0 %      2.5 %  FAR UNDER",
            "7  NO BUDGET",
        ];
        assert_eq!(text.lines().count(), ends.len());
        for (line, end) in text.lines().zip(ends) {
            assert!(line.ends_with(end), "{text}");
        }
    }
}
