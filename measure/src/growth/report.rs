//! What came of it: a table, a page with a plot, and every figure for programs.

use std::fs;
use std::path::Path;

use serde_json::json;
use streamgate_loadgen::report::plot::{Axis, Line, Lines, Scale};
use streamgate_loadgen::report::{Page, Section};

use super::measure::{Crowd, Doing, Plan};
use crate::Result;
use crate::meter::median;
use crate::table::Table;

/// What is asked: how much more a call may cost the server that has the most users.
const GOAL: f64 = 1.3;

/// Writes the page and the figures; answers what to print.
pub(crate) fn write(crowds: &[Crowd], plan: &Plan, out: &Path) -> Result<String> {
    let (page, data) = (out.join("growth.html"), out.join("growth.json"));
    let table = table(crowds).to_markdown();
    let notes = vec![
        format!(
            "Medians of {} rounds of {} s, in turn.",
            plan.rounds, plan.seconds
        ),
        format!("Asked: at most {GOAL} times what it costs with the fewest users."),
    ];
    let html = Page {
        title: "Streamgate, few users and many".to_owned(),
        subtitle: "The same load on servers with more and more users, two live sessions each."
            .to_owned(),
        sections: vec![
            Section::new("Processor time of a call", cost(crowds).svg()?),
            Section::new("Memory and disk", sizes(crowds).svg()?),
            Section::new("Restart", restarts(crowds).svg()?),
        ],
        notes: notes.clone(),
    };
    fs::write(&page, html.html())?;
    let all: Vec<_> = crowds.iter().map(of_crowd).collect();
    let all = json!({ "plan": plan, "doing": Doing::ALL, "crowds": all });
    fs::write(&data, serde_json::to_vec_pretty(&all)?)?;
    let (notes, page, data) = (notes.join("\n"), page.display(), data.display());
    Ok(format!("{table}{notes}\n\n{page}\n{data}\n"))
}

fn table(crowds: &[Crowd]) -> Table {
    let mut heads = vec!["users".to_owned(), "live sessions".to_owned()];
    for doing in Doing::ALL {
        heads.push(format!("{}, µs CPU", doing.name()));
        heads.push("×".to_owned());
    }
    let sizes = [
        "bytes of memory a session",
        "bytes of disk a session",
        "ready after, s",
    ];
    heads.extend(sizes.map(str::to_owned));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut table = Table::new(&heads);
    for crowd in crowds {
        let mut row = vec![crowd.users.to_string(), crowd.sessions().to_string()];
        for (place, _) in Doing::ALL.iter().enumerate() {
            row.push(format!("{:.2}", cpu_us(crowd, place)));
            row.push(crowds.first().map_or(String::new(), |first| {
                format!("{:.2}", ratio(crowd, first, place))
            }));
        }
        row.push(format!("{:.1}", each(crowd.memory_bytes, crowd)));
        row.push(format!("{:.1}", each(crowd.disk_bytes, crowd)));
        row.push(format!("{:.2}", crowd.ready_s));
        table.row(row);
    }
    table
}

/// The server's processor time for one, in microseconds.
fn cpu_us(crowd: &Crowd, doing: usize) -> f64 {
    median(cpu_by_round(crowd, doing))
}

/// What it costs more than with another crowd, both in the same round.
fn ratio(crowd: &Crowd, first: &Crowd, doing: usize) -> f64 {
    let rounds = cpu_by_round(crowd, doing).into_iter();
    let ratios = rounds.zip(cpu_by_round(first, doing));
    median(ratios.map(|(here, there)| here / there).collect())
}

fn cpu_by_round(crowd: &Crowd, doing: usize) -> Vec<f64> {
    let of_server = |round: &[streamgate_loadgen::Measured; 3]| {
        let server = round[doing].servers.first();
        server.expect("the server was measured").cpu_us_per_request
    };
    crowd.rounds.iter().map(of_server).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn each(bytes: u64, crowd: &Crowd) -> f64 {
    bytes as f64 / crowd.sessions() as f64
}

/// A line through all crowds.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn line(crowds: &[Crowd], name: &str, value: impl Fn(&Crowd) -> f64) -> Line {
    let point = |crowd: &Crowd| (crowd.users as f64, value(crowd));
    Line::new(name.to_owned(), crowds.iter().map(point).collect())
}

fn lines(title: &str, unit: &str, scale: Scale, lines: Vec<Line>) -> Lines {
    Lines {
        title: title.to_owned(),
        x: Axis::new("users", Scale::Log),
        y: Axis::new(unit, scale),
        lines,
    }
}

fn cost(crowds: &[Crowd]) -> Lines {
    let of = |(place, doing): (usize, &Doing)| {
        line(crowds, doing.name(), move |crowd| cpu_us(crowd, place))
    };
    let all = Doing::ALL.iter().enumerate().map(of).collect();
    lines("Processor time of a call", "µs", Scale::Linear, all)
}

fn sizes(crowds: &[Crowd]) -> Lines {
    let all = vec![
        line(crowds, "memory, all of the process", |it| {
            each(it.memory_bytes, it)
        }),
        line(crowds, "disk, after a snapshot", |it| {
            each(it.disk_bytes, it)
        }),
    ];
    lines("Memory and disk", "bytes a session", Scale::Log, all)
}

fn restarts(crowds: &[Crowd]) -> Lines {
    let all = vec![line(crowds, "ready after", |crowd| crowd.ready_s)];
    lines(
        "From the start of the process to its first answer",
        "s",
        Scale::Linear,
        all,
    )
}

fn of_crowd(crowd: &Crowd) -> serde_json::Value {
    json!({
        "users": crowd.users,
        "sessions": crowd.sessions(),
        "ready_s": crowd.ready_s,
        "memory_bytes": crowd.memory_bytes,
        "disk_bytes": crowd.disk_bytes,
        "rounds": crowd.rounds,
    })
}
