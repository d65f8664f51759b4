//! Metrics as log lines in CloudWatch's embedded metric format (EMF): CloudWatch makes metrics of
//! them, with the function's name as the dimension. A line is written only if there is something to
//! count, so an answer without a refusal costs nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use streamgate_core::admission::StartOutcome;
use streamgate_engine::{Answer, EngineObserver};

/// The namespace of the metrics.
const NAMESPACE: &str = "Streamgate";

/// What was counted since the last line.
#[derive(Debug, Default)]
pub(super) struct Counts {
    refused: AtomicU64,
    unavailable: AtomicU64,
}

impl Counts {
    /// Counts an answer by its status.
    pub(super) fn answered(&self, status: u16) {
        if status >= 500 {
            self.unavailable.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The line for what was counted, with the time in milliseconds; `None` if there is nothing.
    pub(super) fn take_line(&self, function: &str, now_ms: i64) -> Option<Value> {
        let counts = [
            ("Refusals", self.refused.swap(0, Ordering::Relaxed)),
            ("ServerErrors", self.unavailable.swap(0, Ordering::Relaxed)),
        ];
        if counts.iter().all(|(_, count)| *count == 0) {
            return None;
        }
        let metrics = counts.map(|(name, _)| json!({ "Name": name, "Unit": "Count" }));
        let mut line = json!({
            "_aws": {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [["FunctionName"]],
                    "Metrics": metrics,
                }],
            },
            "FunctionName": function,
        });
        for (name, count) in counts {
            line[name] = count.into();
        }
        Some(line)
    }
}

impl EngineObserver for Counts {
    fn answered(&self, answer: Answer<'_>) {
        if let Answer::Start(StartOutcome::Refused { .. }) = answer {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}
