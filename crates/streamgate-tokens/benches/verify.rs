//! How long a token takes: one that was verified before, and one that was not, by each kind of
//! signature. A heartbeat with a token takes this in place of the look-up of a key.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use streamgate_core::{TenantId, UserKey};
use streamgate_tokens::{
    Algorithm, FetchKeys, Fetched, Issuer, Location, OwnTokens, Secret, Settings, SigningKey,
    Source, Verifier,
};

/// As many viewers as a node has in the cache of a processor, and more.
const VIEWERS: usize = 10_000;

const SECRET: [u8; 32] = [b's'; 32];

/// There is nothing at any URL.
#[derive(Debug)]
struct Nothing;

impl FetchKeys for Nothing {
    fn fetch(&self, _: &Location) -> Result<Fetched, String> {
        Err("there is nothing".to_owned())
    }
}

fn signing_key() -> SigningKey {
    let pem = SigningKey::generate_pem().expect("there are random bytes");
    SigningKey::from_pem(pem.as_bytes()).expect("it was just made")
}

fn own_token(key: &SigningKey, user: usize, now_s: i64) -> String {
    let user = UserKey::of_text(&TenantId::default_tenant(), &format!("viewer-{user}"));
    let user = user.expect("a short text");
    let minted = key.mint(("streamgate", "streamgate"), &user, now_s, 3_600);
    minted.expect("the key signs").token
}

fn login() -> Issuer {
    Issuer {
        name: "login".into(),
        issuer: "login".to_owned(),
        audience: "streams".to_owned(),
        source: Source::Secret(Secret::new(&SECRET).expect("it is long enough")),
        algorithms: vec![Algorithm::Hs256],
        tenant: TenantId::default_tenant(),
        user_claim: "sub".to_owned(),
        plan_claim: None,
        limit_claim: None,
    }
}

fn bench(criterion: &mut Criterion) {
    let key = Arc::new(signing_key());
    let settings = Settings {
        issuers: vec![login()],
        own: OwnTokens {
            signing: Some(Arc::clone(&key)),
            ..OwnTokens::default()
        },
    };
    let fetch: Arc<dyn FetchKeys> = Arc::new(Nothing);
    let verifier = Verifier::new(settings, &fetch, None).expect("they go together");
    let now_s = verifier.now().wall_s;
    let tokens: Vec<String> = (0..VIEWERS).map(|it| own_token(&key, it, now_s)).collect();
    let claims = json!({"iss": "login", "aud": "streams", "sub": "anna", "exp": now_s + 3_600});
    let secret = EncodingKey::from_secret(&SECRET).expect("it is not empty");
    let by_secret = encode(&Header::default(), &claims, &secret).expect("the secret signs");
    let verify = |token: &str| {
        let viewer = verifier.verify(black_box(token).as_bytes(), verifier.now());
        viewer.expect("the token is valid")
    };

    criterion.bench_function("verify/cached", |bencher| {
        tokens.iter().for_each(|token| drop(verify(token)));
        let mut turn = tokens.iter().cycle();
        bencher.iter(|| verify(turn.next().expect("a cycle has no end")));
    });
    for (name, token) in [("es256", &tokens[0]), ("hs256", &by_secret)] {
        criterion.bench_function(&format!("verify/{name}"), |bencher| {
            bencher.iter(|| {
                verifier.forget();
                verify(token)
            });
        });
    }
    criterion.bench_function("verify/forget", |bencher| {
        bencher.iter(|| verifier.forget());
    });
    criterion.bench_function("mint", |bencher| bencher.iter(|| own_token(&key, 0, now_s)));
}

criterion_group!(benches, bench);
criterion_main!(benches);
