//! The budget: how many instructions each path may take, in a file that is committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use crate::Result;
use crate::report::{Line, Standing};

/// What a path may take more than its budget, in percent, where its line in the file is new.
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
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    /// Where it was measured.
    pub(crate) machine: Machine,
    /// By path.
    paths: BTreeMap<String, Allowance>,
}

/// What decides how many instructions there are, beside the code.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    /// Whose instructions are counted.
    architecture: String,
    /// What made them.
    compiler: String,
}

/// What one path may take.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowance {
    /// For one operation.
    pub(crate) instructions: u64,
    /// How much more is let pass.
    pub(crate) tolerance_percent: f64,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        Self {
            architecture: std::env::consts::ARCH.to_owned(),
            compiler: env!("COMPILER").to_owned(),
        }
    }

    /// Fails where instructions here are of another kind: no tolerance makes up for that.
    pub(crate) fn check_same_kind(&self, here: &Self) -> Result<()> {
        if self.architecture == here.architecture {
            return Ok(());
        }
        let (there, here) = (&self.architecture, &here.architecture);
        Err(format!("the budget counts instructions of {there}; this is {here}").into())
    }
}

impl Allowance {
    /// How far a measurement is from the budget, in percent of it.
    #[expect(clippy::cast_precision_loss, reason = "percents are for people")]
    pub(crate) fn percent_over(&self, instructions: u64) -> f64 {
        let budget = self.instructions as f64;
        (instructions as f64 - budget) * 100.0 / budget
    }

    /// What a measurement means for the budget.
    pub(crate) fn standing(&self, instructions: u64) -> Standing {
        match self.percent_over(instructions) {
            over if over > self.tolerance_percent => Standing::Over,
            over if over < -FAR_UNDER_PERCENT => Standing::FarUnder,
            _ => Standing::Within,
        }
    }
}

impl Budget {
    /// Reads it. Only who holds something to it needs one.
    pub(crate) fn read(file: &Path, is_needed: bool) -> Result<Self> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if !is_needed && error.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(format!("{}: {error}", file.display()).into()),
        };
        Self::parse(&text).map_err(|error| format!("{}: {error}", file.display()).into())
    }

    fn parse(text: &str) -> Result<Self> {
        let budget: Self = toml::from_str(text)?;
        for (path, allowance) in &budget.paths {
            if allowance.instructions == 0 || !(0.0..=100.0).contains(&allowance.tolerance_percent)
            {
                return Err(format!("{path}: no such budget can be held").into());
            }
        }
        Ok(budget)
    }

    /// What a path may take.
    pub(crate) fn of(&self, path: &str) -> Option<Allowance> {
        self.paths.get(path).copied()
    }

    /// What was measured as the budget. Tolerances stay.
    pub(crate) fn of_measured(lines: &[Line], here: Machine) -> Self {
        let allowance = |line: &Line| Allowance {
            instructions: line.instructions,
            tolerance_percent: line
                .budget
                .map_or(TOLERANCE_PERCENT, |budget| budget.tolerance_percent),
        };
        let paths = lines
            .iter()
            .map(|line| (line.path.to_owned(), allowance(line)));
        Self {
            machine: here,
            paths: paths.collect(),
        }
    }

    /// Fails, and says what to do, where what was measured does not fit; `are_all` where every path
    /// was measured.
    pub(crate) fn verdict(&self, lines: &[Line], here: &Machine, are_all: bool) -> Result<()> {
        let mut faults = String::new();
        let mut fault = |paths: Vec<&str>, what: &str| {
            if !paths.is_empty() {
                faults += &format!("{}: {what}\n", paths.join(", "));
            }
        };
        let who = |standing| {
            let are = lines.iter().filter(|line| line.standing() == standing);
            are.map(|line| line.path).collect()
        };
        fault(
            who(Standing::Over),
            "over budget. Make it cheaper, or raise the budget with --write and say in the commit \
             what is worth it.",
        );
        fault(
            who(Standing::FarUnder),
            "far under budget. Lower the budget with --write, so that the gain is kept.",
        );
        fault(
            who(Standing::Unknown),
            "no budget. Give it one with --write.",
        );
        let is_gone = |path: &&str| are_all && lines.iter().all(|line| line.path != *path);
        let gone = self.paths.keys().map(String::as_str).filter(is_gone);
        fault(
            gone.collect(),
            "a budget and no path. Take it away with --write.",
        );
        if faults.is_empty() {
            return Ok(());
        }
        if self.machine.compiler != here.compiler {
            faults += &format!(
                "The budget was written with {}, this is {}: that alone moves counts.\n",
                self.machine.compiler, here.compiler
            );
        }
        Err(faults.trim_end().into())
    }

    /// Writes it, with a line for each path, so that a change of it can be read.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        Ok(std::fs::write(file, self.to_toml())?)
    }

    fn to_toml(&self) -> String {
        let Machine {
            architecture,
            compiler,
        } = &self.machine;
        let mut text = HEAD.to_owned();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[machine]\narchitecture = {architecture:?}\ncompiler = {compiler:?}\n\n[paths]\n"
        );
        for (path, allowance) in &self.paths {
            let Allowance {
                instructions,
                tolerance_percent,
            } = allowance;
            let _ = writeln!(
                text,
                "{path:?} = {{ instructions = {instructions}, tolerance_percent = {tolerance_percent:?} }}"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(instructions: u64, tolerance_percent: f64) -> Allowance {
        Allowance {
            instructions,
            tolerance_percent,
        }
    }

    fn line(path: &'static str, instructions: u64, budget: Option<Allowance>) -> Line {
        Line {
            path,
            instructions,
            budget,
        }
    }

    fn machine(compiler: &str) -> Machine {
        Machine {
            architecture: "x86_64".to_owned(),
            compiler: compiler.to_owned(),
        }
    }

    fn budget(paths: &[(&str, Allowance)]) -> Budget {
        Budget {
            machine: machine("one"),
            paths: paths
                .iter()
                .map(|&(path, it)| (path.to_owned(), it))
                .collect(),
        }
    }

    /// What the verdict complains about, by its lines.
    fn faults(budget: &Budget, lines: &[Line], compiler: &str, are_all: bool) -> Vec<String> {
        let verdict = budget.verdict(lines, &machine(compiler), are_all);
        let text = verdict.err().map(|error| error.to_string());
        text.iter()
            .flat_map(|text| text.lines())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_tolerance_is_above_the_budget_and_ten_percent_are_below_it() {
        let budget = allowance(1_000, 2.0);
        for (instructions, standing) in [
            (899, Standing::FarUnder),
            (900, Standing::Within),
            (1_000, Standing::Within),
            (1_020, Standing::Within),
            (1_021, Standing::Over),
        ] {
            assert_eq!(budget.standing(instructions), standing, "{instructions}");
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let lines = [line("b/c", 12, Some(allowance(9, 0.5))), line("a", 3, None)];
        let written = Budget::of_measured(&lines, machine("rustc 1 \"x\""));
        assert_eq!(Budget::parse(&written.to_toml()).unwrap(), written);
        assert_eq!(
            written.of("b/c"),
            Some(allowance(12, 0.5)),
            "its tolerance stays"
        );
        assert_eq!(written.of("a"), Some(allowance(3, TOLERANCE_PERCENT)));
        assert_eq!(written.of("c"), None);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused() {
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
    fn what_fits_passes_whatever_the_compiler() {
        let of_a = allowance(100, 2.0);
        let budget = budget(&[("a", of_a)]);
        let none: [&str; 0] = [];
        assert_eq!(
            faults(&budget, &[line("a", 101, Some(of_a))], "other", true),
            none
        );
    }

    #[test]
    fn each_fault_is_told_with_its_paths_and_what_to_do() {
        let it = allowance(100, 2.0);
        let budget = budget(&[("a", it), ("b", it), ("c", it), ("gone", it)]);
        let lines = [
            line("a", 103, Some(it)),
            line("b", 104, Some(it)),
            line("c", 50, Some(it)),
            line("d", 50, None),
        ];
        let said = faults(&budget, &lines, "one", true);
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].starts_with("a, b: over budget."), "{said:?}");
        assert!(said[1].starts_with("c: far under budget."), "{said:?}");
        assert!(said[2].starts_with("d: no budget."), "{said:?}");
        assert!(
            said[3].starts_with("gone: a budget and no path."),
            "{said:?}"
        );
        let said = faults(&budget, &lines[..1], "two", false);
        assert_eq!(
            said.len(),
            2,
            "of one path nothing follows for others: {said:?}"
        );
        assert!(
            said[1].contains("written with one, this is two"),
            "{said:?}"
        );
    }

    #[test]
    fn instructions_of_another_architecture_are_not_compared() {
        let here = Machine::here();
        assert!(here.check_same_kind(&here).is_ok());
        let error = machine("one")
            .check_same_kind(&Machine::default())
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the budget counts instructions of x86_64;")
        );
    }
}
