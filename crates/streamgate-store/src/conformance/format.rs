//! Data of a newer release. Each store is marked in its own way, so this case is not part of
//! [`conformance_suite!`](crate::conformance_suite): each store calls it once with the result of
//! opening marked data.

use std::fmt;
use std::sync::Arc;

use streamgate_core::TenantId;

use crate::conformance::steps::{run, set_limit, user};
use crate::{Store, StoreError, View};

/// Data that is marked with a newer format is not opened, with an error that says so; or the opened
/// store is not ready, refuses every call and runs no step.
pub async fn a_newer_format_is_refused<E: fmt::Display>(opened: Result<Arc<dyn Store>, E>) {
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            let words = error.to_string();
            assert!(words.contains("newer Streamgate"), "{words}");
            return;
        }
    };
    let refused = |error: StoreError| {
        let StoreError::Refused(refusal) = &error else {
            panic!("refused, not: {error}");
        };
        assert!(refusal.why.contains("newer Streamgate"), "{refusal}");
    };
    refused(store.check_ready().await.expect_err("it is not ready"));
    let written = run(&*store, &user("u"), &set_limit(1)).await;
    refused(written.expect_err("no writes"));
    let mut step = |_: View<'_>| panic!("a step of this version was run on a newer record");
    let read = store.transact(&user("u"), &mut step).await;
    refused(read.expect_err("no reads"));
    let scanned = store.scan(&TenantId::default_tenant(), None, 1).await;
    refused(scanned.expect_err("no scans"));
    let swept = store.sweep(None, 1, &mut step).await;
    refused(swept.expect_err("no sweeps"));
}
