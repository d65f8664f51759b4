//! The figures as plain text, for scripts and for terminals without a screen.

use std::fmt::Write as _;

use super::stats::Stats;

/// How the node is now.
pub(crate) fn plain(stats: &Stats) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:<16}{:>12}", "live sessions", stats.live_sessions());
    let _ = writeln!(
        text,
        "{:<16}{:>12}",
        "users watching",
        stats.watching_users()
    );
    let _ = writeln!(text, "\n{:<16}{:>12}{:>12}", "", "now", "1 minute");
    for row in stats.rows() {
        let _ = writeln!(text, "{:<16}{:>12}{:>12}", row.name, row.now(), row.mean());
    }
    let _ = writeln!(text, "\nmost refused users, 2 minutes");
    if stats.top_refused.is_empty() {
        let _ = writeln!(text, "  none");
    }
    for refused in &stats.top_refused {
        let (count, last) = (refused.refusals, refused.last());
        let _ = writeln!(text, "{count:>8}  {last}  {}", refused.user());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::stats::tests::stats;
    use super::*;

    #[test]
    fn the_figures_stand_in_columns() {
        let expected = "\
live sessions          12345
users watching          9876

                         now    1 minute
starts                 3.0/s       2.0/s
refusals               1.0/s       0.3/s
heartbeats           420.0/s     410.0/s
ended                  3.0/s       1.7/s
  stopped              2.0/s       1.0/s
  expired              1.0/s       0.7/s
  evicted              0.0/s       0.0/s
  terminated           0.0/s       0.0/s
  revoked              0.0/s       0.0/s
p50                  0.06 ms     0.06 ms
p99                    12 ms     6.95 ms

most refused users, 2 minutes
       7  20:14:06  anna
       2  20:13:00  bob\u{fffd}2J
";
        assert_eq!(plain(&stats()), expected);
        assert!(plain(&Stats::default()).ends_with("2 minutes\n  none\n"));
    }
}
