//! `/healthz` and `/readyz`

use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn a_store_that_is_down_makes_it_unready_but_not_dead() {
    let service = Service::open();
    let ok = json!({"status": "ok"});
    service.get("/healthz").await.assert_json(200, &ok);
    service.get("/readyz").await.assert_json(200, &ok);
    service.break_store().await;
    service.get("/healthz").await.assert_json(200, &ok);
    service.get("/readyz").await.assert_store_unavailable();
}
