//! The keys of an issuer that are fetched while its viewers call.

use std::sync::Arc;
use std::time::Duration;

use streamgate_server::ServerSettings;
use streamgate_tokens::{Algorithm, FetchKeys, Fetched, Location, Source, key_set_of};

use crate::support::Service;
use crate::support::viewers::{login, settings, signing_key, verifier};

/// A site that answers when it is told to.
#[derive(Debug)]
struct Slow {
    body: Vec<u8>,
    go: parking_lot::Mutex<std::sync::mpsc::Receiver<bool>>,
}

impl FetchKeys for Slow {
    fn fetch(&self, _: &Location) -> Result<Fetched, String> {
        let body = self.body.clone();
        match self.go.lock().recv() {
            Ok(true) => Ok(Fetched {
                body,
                max_age: None,
            }),
            _ => Err("down".to_owned()),
        }
    }
}

/// A call waits for the keys of its issuer while they are fetched, on each way to a handler; if they
/// cannot be had, it is told so.
#[tokio::test]
async fn calls_wait_for_the_keys_of_their_issuer() {
    for is_up in [true, false] {
        let signing = signing_key();
        let (tell, go) = std::sync::mpsc::channel();
        let site = Slow {
            body: key_set_of([signing.public()].into_iter()).into_bytes(),
            go: parking_lot::Mutex::new(go),
        };
        let at = Location {
            url: "https://login.example/keys".to_owned(),
            authorities: None,
        };
        let mut issuer = login(Source::Url(at), Algorithm::Es256);
        issuer.issuer = "streamgate-elsewhere".to_owned();
        let tokens = verifier(settings(&signing_key(), vec![issuer]), site);
        for keys in tokens.remote_keys() {
            keys.start().unwrap();
        }
        let service = Service::with(ServerSettings {
            tokens: Some(Arc::clone(&tokens)),
            ..ServerSettings::default()
        });
        let user =
            streamgate_core::UserKey::of_text(&streamgate_core::TenantId::default_tenant(), "u");
        let now_s = streamgate_clock::wall_ms() / 1_000;
        let names = ("streamgate-elsewhere", "streams");
        let token = signing
            .mint(names, &user.unwrap(), now_s, 600)
            .unwrap()
            .token;
        let calls = async {
            tokio::join!(
                service.call_with(&token, "PUT", "/v1/users/u/sessions/s"),
                service.call_with(&token, "GET", "/v1/users/u/sessions"),
            )
        };
        let told = async {
            // Both calls are waiting by now: the executor runs them first.
            tokio::task::yield_now().await;
            tell.send(is_up).unwrap();
        };
        let waited = async { tokio::join!(biased; calls, told).0 };
        let (start, list) = tokio::time::timeout(Duration::from_secs(20), waited)
            .await
            .unwrap();
        if is_up {
            assert_eq!((start.status.as_u16(), list.status.as_u16()), (201, 200));
        } else {
            for answer in [start, list] {
                answer.assert_problem(503, "issuer_unavailable");
                assert_eq!(answer.header("retry-after"), Some("5"));
            }
            let page = service.get("/metrics").await.text();
            for line in [
                "streamgate_issuer_keys_age_seconds{issuer=\"login\"} -1",
                "streamgate_issuer_fetch_failures_total{issuer=\"login\"} 1",
            ] {
                assert!(page.contains(line), "{line} in\n{page}");
            }
        }
        drop(tell);
        for keys in tokens.remote_keys() {
            keys.stop();
        }
    }
}
