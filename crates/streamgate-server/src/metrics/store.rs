//! How the store is: what it has done, and what is wrong with it.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use super::page::Page;

/// Bucket bounds for commits, in seconds: most of a commit is one fsync.
const COMMIT_BUCKETS_S: [f64; 12] = [
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0,
];

/// Metrics of the store.
#[derive(Debug)]
pub(super) struct StoreMetrics {
    pub(super) commit_duration: Histogram,
    pub(super) commit_records: Histogram,
    pub(super) commit_bytes: Counter,
    /// 1 if the store could be used when it was asked last.
    pub(super) usable: Gauge,
    pub(super) outcome_unknown: Counter,
    pub(super) damaged_records: Counter,
    pub(super) evicted_keys: Counter,
    pub(super) full: Gauge,
    pub(super) clock_skew: Gauge<f64, AtomicU64>,
}

impl StoreMetrics {
    /// Nothing has happened.
    pub(super) fn new(page: &mut Page) -> Self {
        Self {
            commit_duration: page.add(
                "streamgate_commit_duration_seconds",
                "Time to write and sync one batch of the embedded store",
                Histogram::new(COMMIT_BUCKETS_S),
            ),
            commit_records: page.add(
                "streamgate_commit_batch_records",
                "Records in one batch of the embedded store",
                Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            ),
            commit_bytes: page.counter(
                "streamgate_commit_bytes",
                "Bytes that the embedded store has written to its log",
            ),
            usable: page.gauge(
                "streamgate_store_usable",
                "1 if the store could be used when this page was made: what /readyz says of it. \
                 Alarm on 0",
            ),
            outcome_unknown: page.counter(
                "streamgate_outcome_unknown",
                "Commits with an unknown outcome, after which the command was run again",
            ),
            damaged_records: page.counter(
                "streamgate_damaged_records",
                "Reads of stored records that cannot be decoded: alarm on any increase",
            ),
            evicted_keys: page.counter(
                "streamgate_store_evicted_keys",
                "Keys that Redis servers have evicted, as seen by this node (every node counts the \
                 same ones): alarm on any increase",
            ),
            full: page.gauge(
                "streamgate_store_full",
                "1 while the disk of the embedded store is full and starts are refused: alarm on 1",
            ),
            clock_skew: page.add(
                "streamgate_store_clock_skew_seconds",
                "Smallest possible skew of this node's clock against DynamoDB's, in seconds: \
                 positive if ahead, negative if behind, 0 if they may agree. Alarm above 2 and \
                 below -2",
                Gauge::default(),
            ),
        }
    }
}
