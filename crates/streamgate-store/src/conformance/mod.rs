//! The suite that every store must pass.
//!
//! Call [`conformance_suite!`](crate::conformance_suite) in a test file with an async function that
//! opens a fresh, empty store; it makes one test of every case. If the store is not available, the
//! function must panic: a suite that skips proves nothing. If servers are expensive to start,
//! `conformance_suite!(in_sequence open)` runs all cases one after the other inside one test.
//!
//! A store that is kept on disk or on a server also calls [`a_newer_format_is_refused`] with data
//! that it has marked as written by a newer release. One with [`Notices`](crate::Notices) calls
//! [`other_nodes_are_told_what_was_committed`] with two nodes over an empty store.
//!
//! Records are real ledgers, changed by real commands, because a store that keeps a log rebuilds
//! records from their deltas.
#![allow(
    clippy::missing_panics_doc,
    reason = "these are tests: they panic if a store fails"
)]

mod atomicity;
mod basics;
mod detached;
mod format;
mod histories;
mod lifecycle;
mod notices;
mod scans;
mod steps;

pub use atomicity::*;
pub use basics::*;
pub use detached::*;
pub use format::*;
pub use histories::*;
pub use lifecycle::*;
pub use notices::*;
pub use scans::*;
pub use steps::{Ran, limit_in, read_ledger, run};

/// Prints which case begins.
#[doc(hidden)]
#[allow(clippy::print_stdout, reason = "it is the output of a test")]
pub fn tell(case: &str) {
    println!("case: {case}");
}

/// Makes one `#[tokio::test]` of every case, on a fresh store from `$open`: an
/// `async fn() -> Arc<dyn Store>`. With `in_sequence`, an expression that runs all cases, inside an
/// async function.
#[macro_export]
macro_rules! conformance_suite {
    ($open:path) => {
        $crate::conformance_suite! { @list tests $open }
    };
    (in_sequence $open:expr) => {
        $crate::conformance_suite! { @list sequence $open }
    };
    (@list $how:ident $open:expr) => {
        $crate::conformance_suite! { @$how $open;
            a_key_never_written_has_no_record,
            a_change_is_seen_by_the_next_step,
            a_step_that_returns_none_changes_nothing,
            a_record_can_be_removed,
            a_transaction_that_is_done_has_taken_effect,
            keys_do_not_affect_each_other,
            a_record_of_a_thousand_sessions_is_kept,
            time_does_not_go_backwards,
            parallel_steps_on_one_key_do_not_overlap,
            parallel_starts_admit_exactly_the_limit,
            parallel_keys_lose_nothing,
            long_histories_equal_the_bare_decision,
            a_dropped_call_is_committed_or_not,
            a_dropped_call_reports_its_outcome,
            a_scan_reads_every_record_once,
            a_scan_has_pages_of_a_bounded_size,
            a_scan_reads_one_tenant_only,
            a_scan_continues_after_its_last_record_was_removed,
            a_scan_among_writers_reads_lasting_records_once,
            a_foreign_cursor_is_refused,
            a_sweep_visits_every_record_once_or_none,
            a_store_is_ready_until_it_is_closed,
        }
    };
    (@tests $open:expr; $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::conformance::$case($open().await).await;
            }
        )*
    };
    (@sequence $open:expr; $($case:ident,)*) => {{
        $(
            let store: ::std::sync::Arc<dyn $crate::Store> = $open().await;
            // Prints the case, so that the output of a failed test names it.
            $crate::conformance::tell(::std::stringify!($case));
            ::std::boxed::Box::pin($crate::conformance::$case(store)).await;
        )*
    }};
}
