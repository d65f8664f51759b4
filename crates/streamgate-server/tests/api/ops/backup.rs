//! `/admin/backup`: who may have one, and what a store without one says. The bytes are tested with
//! the embedded store, and with the real process.

use crate::support::Service;

#[tokio::test]
async fn a_backup_needs_an_admin_key_of_the_default_tenant() {
    let service = Service::keyed();
    service
        .get("/admin/backup")
        .await
        .assert_problem(401, "unauthenticated");
    for key in ["player", "service"] {
        service
            .call_as(key, "GET", "/admin/backup")
            .await
            .assert_problem(403, "forbidden");
    }
    let problem = service
        .call_as("other", "GET", "/admin/backup")
        .await
        .assert_problem(403, "forbidden");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("all tenants"), "{detail}");
}

#[tokio::test]
async fn a_store_without_a_backup_is_409_and_says_what_to_use() {
    let service = Service::keyed();
    let problem = service
        .call_as("admin", "GET", "/admin/backup")
        .await
        .assert_problem(409, "backup_elsewhere");
    assert_eq!(
        problem["detail"],
        "this store keeps nothing that could be restored"
    );
}
