//! The keys of an issuer that are fetched while its viewers call.

use std::sync::Arc;
use std::time::Duration;

use streamgate_core::{TenantId, UserKey};
use streamgate_server::{DialectName, ServerSettings};
use streamgate_tokens::{
    Algorithm, FetchKeys, Fetched, Issuer, Location, SigningKey, Source, key_set_of,
};

use crate::support::operations::{Names, operations};
use crate::support::viewers::{Down, bearing, login, settings, signing_key, verifier};
use crate::support::{Service, keys};

/// The name of the issuer in its tokens.
const ELSEWHERE: &str = "streamgate-elsewhere";

/// An issuer whose keys are fetched.
fn elsewhere() -> Issuer {
    let at = Location {
        url: "https://login.example/keys".to_owned(),
        authorities: None,
    };
    Issuer {
        issuer: ELSEWHERE.to_owned(),
        ..login(Source::Url(at), Algorithm::Es256)
    }
}

/// A token of that issuer for the user `u`.
fn token_from_elsewhere(signing: &SigningKey) -> String {
    let user = UserKey::of_text(&TenantId::default_tenant(), "u").unwrap();
    let now_s = streamgate_clock::wall_ms() / 1_000;
    let minted = signing.mint((ELSEWHERE, "streams"), &user, now_s, 600);
    minted.unwrap().token
}

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
        let tokens = verifier(settings(&signing_key(), vec![elsewhere()]), site);
        for keys in tokens.remote_keys() {
            keys.start().unwrap();
        }
        let service = Service::with(ServerSettings {
            tokens: Some(Arc::clone(&tokens)),
            ..ServerSettings::default()
        });
        let token = token_from_elsewhere(&signing);
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

/// Every operation that takes a credential can meet such a token, and its document says with which
/// status: [`Service::send`] compares the two.
#[tokio::test]
async fn every_operation_documents_the_answer_to_a_token_whose_keys_cannot_be_had() {
    let tokens = verifier(settings(&signing_key(), vec![elsewhere()]), Down);
    for keys in tokens.remote_keys() {
        keys.start().unwrap();
    }
    let service = Service::with(ServerSettings {
        keys: keys(),
        metrics_require_key: true,
        tokens: Some(Arc::clone(&tokens)),
        ..ServerSettings::default()
    });
    let token = token_from_elsewhere(&signing_key());
    let names = Names {
        user: "u",
        session: "s",
    };
    let mut asked = 0;
    for operation in operations() {
        if operation.scope().is_none() && operation.template != "/metrics" {
            continue;
        }
        let answer = service
            .send(bearing(&token, operation.request(names)))
            .await;
        let expected = match operation.dialect {
            Some(DialectName::SessionTracker) => 500,
            Some(DialectName::ConcurrencyService) => 502,
            _ => 503,
        };
        assert_eq!(answer.status, expected, "{operation}: {}", answer.text());
        assert_eq!(answer.header("retry-after"), Some("5"), "{operation}");
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    for keys in tokens.remote_keys() {
        keys.stop();
    }
}
