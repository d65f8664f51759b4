//! Readiness, and closing.

use std::sync::Arc;

use streamgate_core::TenantId;

use crate::conformance::steps::{put_limit, run, set_limit, user};
use crate::{Store, StoreError, View};

/// An open store is ready; a closed one refuses everything, and may be closed again.
pub async fn a_store_is_ready_until_it_is_closed(store: Arc<dyn Store>) {
    store.check_ready().await.expect("an open store is ready");
    put_limit(&*store, &user("u"), 1).await;
    store.close().await.expect("it closes");
    store.close().await.expect("it is closed");
    let refused = |error: StoreError| {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    };
    refused(store.check_ready().await.expect_err("it is not ready"));
    let written = run(&*store, &user("u"), &set_limit(2)).await;
    refused(written.expect_err("no writes"));
    let scanned = store.scan(&TenantId::default_tenant(), None, 1).await;
    refused(scanned.expect_err("no pages"));
    let swept = store.sweep(None, 1, &mut |_: View<'_>| None).await;
    refused(swept.expect_err("no sweeps"));
}
