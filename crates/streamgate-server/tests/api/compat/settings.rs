//! Settings of single dialects.

use streamgate_core::Seconds;
use streamgate_server::{CompatSettings, DialectName, DialectSettings};

use crate::support::Service;

#[tokio::test]
async fn sessions_have_the_lease_of_their_dialect() {
    let own = DialectSettings {
        lease: Some(Seconds(60)),
    };
    let service = Service::with_dialects(CompatSettings {
        lease: Seconds(3600),
        by_dialect: [(DialectName::UserStreams, own)].into(),
        ..CompatSettings::default()
    });
    for (call, expires_at) in [
        ("user-streams/user-streams/a/s", "2026-11-21T06:31:00.000Z"),
        (
            "concurrency-service/dev/startSession/userId/b/sessionId/s",
            "2026-11-21T07:30:00.000Z",
        ),
    ] {
        let started = service.get(&format!("/compat/{call}")).await;
        assert_eq!(started.status, 200, "{}", started.text());
        let user = if call.contains("/a/") { "a" } else { "b" };
        let path = format!("/v1/users/{user}/sessions");
        let sessions = service.get(&path).await.json();
        assert_eq!(sessions["sessions"][0]["expires_at"], expires_at, "{call}");
    }
}
