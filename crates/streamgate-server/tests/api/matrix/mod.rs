//! Who may do what: every operation of every document, asked for with every credential about every
//! user, on servers that differ in what they ask for. The document states the scope that each
//! operation needs, and the answers must follow it.
//!
//! A cell of the matrix is one such call. It is refused with the status that its place demands and
//! changes nothing, or it is carried out, and then it reveals and changes nothing of another tenant
//! and nothing of a user that it does not name. What is *not* here: what an operation does.

mod credentials;
mod state;

use axum::body::Body;
use axum::http::{Method, Request};
use streamgate_server::{
    CompatSettings, DialectName, RateLimitSettings, ServerSettings, dialects_without_key,
};

use crate::support::operations::{Names, Operation, operations};
use crate::support::{Answer, Service, keys, viewers};
use credentials::{Credential, SIGNING, Tenant, USER, credentials};
use state::State;

/// The user that is nobody's own: it exists in each tenant as well.
const STRANGER: &str = "bob";

/// A live session of each user of each tenant.
const SESSION: &str = "tv";

/// What a server asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// A credential everywhere.
    Everywhere,
    /// None in dialects that do without.
    NotInDialects,
    /// A token everywhere: it has an issuer, and no keys.
    OnlyTokens,
    /// None at all.
    Nowhere,
}

const ASKS: [Asks; 4] = [
    Asks::Everywhere,
    Asks::NotInDialects,
    Asks::OnlyTokens,
    Asks::Nowhere,
];

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Unauthenticated,
    Forbidden,
    CarriedOut,
}

impl Asks {
    const fn has_keys(self) -> bool {
        matches!(self, Self::Everywhere | Self::NotInDialects)
    }

    /// Whether it looks at this credential at all.
    const fn heeds(self, credential: &Credential) -> bool {
        credential.is_token || !matches!(self, Self::Nowhere)
    }
}

fn service(asks: Asks) -> Service {
    let compat = CompatSettings {
        require_key: asks != Asks::NotInDialects,
        ..CompatSettings::default()
    };
    let issuers = match asks {
        Asks::Nowhere => Vec::new(),
        _ => vec![viewers::login_by_secret()],
    };
    let tokens = viewers::settings(&SIGNING, issuers);
    let mut settings = ServerSettings {
        compat,
        tokens: Some(viewers::verifier(tokens, viewers::Down)),
        // A server is asked with many wrong credentials in a row.
        rate_limit: RateLimitSettings {
            failed_auth_per_address_per_min: None,
            ..RateLimitSettings::default()
        },
        ..ServerSettings::default()
    };
    if asks.has_keys() {
        settings.keys = keys();
    }
    Service::with(settings)
}

/// What the document demands.
fn demanded(asks: Asks, operation: &Operation, credential: &Credential, user: &str) -> Verdict {
    let Some(scope) = operation.scope() else {
        return Verdict::CarriedOut;
    };
    if !asks.heeds(credential) {
        return Verdict::CarriedOut;
    }
    let is_known = credential.only_user.is_some() || asks.has_keys();
    let Some(rank) = credential.rank.filter(|_| is_known) else {
        return if credential.is_absent && !asks_for_key(asks, operation) {
            Verdict::CarriedOut
        } else {
            Verdict::Unauthenticated
        };
    };
    let ranks = ["viewer", "player", "service", "admin"];
    let needed = ranks.iter().position(|known| *known == scope);
    let needed = needed.unwrap_or_else(|| panic!("{operation}: no scope is called {scope}"));
    let is_own = credential.only_user.is_none_or(|own| own == user);
    // The one call that reaches beyond a tenant.
    let is_within = operation.template != "/admin/backup" || credential.tenant == Tenant::Default;
    if rank >= needed && is_own && is_within {
        Verdict::CarriedOut
    } else {
        Verdict::Forbidden
    }
}

/// Whether a call without a credential is refused.
fn asks_for_key(asks: Asks, operation: &Operation) -> bool {
    let settings = CompatSettings {
        require_key: asks != Asks::NotInDialects,
        ..CompatSettings::default()
    };
    operation
        .dialect
        .is_none_or(|name| !dialects_without_key(&settings).contains(&name))
}

/// What happened.
fn found(operation: &Operation, way: Way, answer: &Answer) -> Verdict {
    let has_problem = operation.dialect.is_none() && way != Way::Head;
    match answer.status.as_u16() {
        401 => {
            if has_problem {
                answer.assert_problem(401, "unauthenticated");
            }
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer"), "{operation}: {challenge}");
            Verdict::Unauthenticated
        }
        403 => {
            if has_problem {
                answer.assert_problem(403, "forbidden");
            }
            Verdict::Forbidden
        }
        status => {
            // The tests run over a memory store, which has no backup.
            let is_none = operation.template == "/admin/backup" && status == 409;
            let is_answer = (200..300).contains(&status) || status == 404 || is_none;
            assert!(is_answer, "{operation}: {status} {}", answer.text());
            Verdict::CarriedOut
        }
    }
}

/// Both refusals are one in the dialect of a gateway.
fn as_told(operation: &Operation, verdict: Verdict) -> Verdict {
    match (operation.dialect, verdict) {
        (Some(DialectName::ConcurrencyService), Verdict::Unauthenticated) => Verdict::Forbidden,
        _ => verdict,
    }
}

/// How an operation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As the document says.
    Documented,
    /// By HEAD, which each GET of our own API has, and which may do no more.
    Head,
    /// With `hold=true`, where that is a parameter: it changes something.
    Hold,
}

impl Way {
    /// The ways to ask for this operation.
    fn all(operation: &Operation) -> impl Iterator<Item = Self> {
        let has_head = operation.method == "GET" && operation.dialect.is_none();
        let head = has_head.then_some(Self::Head);
        let hold = operation.has_parameter("hold").then_some(Self::Hold);
        [Self::Documented].into_iter().chain(head).chain(hold)
    }

    fn request(self, operation: &Operation, names: Names<'_>) -> Request<Body> {
        let mut request = operation.request(names);
        match self {
            Self::Documented => {}
            Self::Head => *request.method_mut() = Method::HEAD,
            Self::Hold => {
                let uri = format!("{}?hold=true", request.uri());
                *request.uri_mut() = uri.parse().expect("a path and a query");
            }
        }
        request
    }
}

/// Every operation, and the ways to ask for it.
fn asked() -> impl Iterator<Item = (Operation, Way)> {
    operations().into_iter().flat_map(|operation| {
        let ways: Vec<Way> = Way::all(&operation).collect();
        ways.into_iter().map(move |way| (operation.clone(), way))
    })
}

#[tokio::test]
async fn every_cell_is_as_the_documents_say() {
    let credentials = credentials();
    let mut cells = 0;
    for asks in ASKS {
        let mut fresh = None;
        for (operation, way) in asked() {
            for credential in &credentials {
                for user in [USER, STRANGER] {
                    let (service, before) = match fresh.take() {
                        Some(fresh) => fresh,
                        None => prepared(asks).await,
                    };
                    let cell =
                        format!("{operation}, {way:?}, by {credential} about {user}, {asks:?}");
                    let names = Names {
                        user,
                        session: SESSION,
                    };
                    let mut request = way.request(&operation, names);
                    credential.present(request.headers_mut());
                    let answer = service.send(request).await;
                    let verdict = demanded(asks, &operation, credential, user);
                    assert_eq!(
                        found(&operation, way, &answer),
                        as_told(&operation, verdict),
                        "{cell}: {} {}",
                        answer.status,
                        answer.text()
                    );
                    let after = State::of(&service, asks).await;
                    match verdict {
                        Verdict::CarriedOut => {
                            let heeded = asks.heeds(credential).then_some(credential);
                            let tenant = heeded.map_or(Tenant::Default, |it| it.tenant);
                            after.assert_others_unchanged(&before, tenant, &operation, user, &cell);
                            if operation.scope().is_some() {
                                let only_user = heeded.and_then(|it| it.only_user);
                                state::assert_nothing_revealed(&answer, tenant, only_user, &cell);
                            }
                        }
                        _ => assert_eq!(after, before, "{cell}"),
                    }
                    if after == before {
                        fresh = Some((service, before));
                    }
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(
        cells,
        ASKS.len() * asked().count() * credentials.len() * 2,
        "every cell was asked"
    );
}

/// A server with live sessions of the same names in each tenant, and its state.
async fn prepared(asks: Asks) -> (Service, State) {
    let service = service(asks);
    state::fill(&service, asks).await;
    // A renewed lease shows.
    service.advance(1);
    let state = State::of(&service, asks).await;
    (service, state)
}

/// So that the ways are not lost with a change of the documents.
#[test]
fn the_documents_have_operations_of_every_way() {
    for (way, least) in [(Way::Head, 10), (Way::Hold, 1)] {
        let of_way = asked().filter(|(_, one)| *one == way).count();
        assert!(of_way >= least, "{way:?}: {of_way}");
    }
}

/// A table that is generated must not be empty for another reason.
#[test]
fn the_documents_have_operations_of_every_scope() {
    let operations = operations();
    for scope in [
        None,
        Some("viewer"),
        Some("player"),
        Some("service"),
        Some("admin"),
    ] {
        let of_scope = operations.iter().filter(|one| one.scope() == scope);
        assert!(of_scope.count() > 0, "{scope:?}");
    }
    for name in DialectName::ALL {
        let of_dialect = operations.iter().filter(|one| one.dialect == Some(name));
        assert!(of_dialect.count() > 0, "{name:?}");
    }
}

/// The sentence for people and the extension for programs.
#[test]
fn the_description_names_the_scope_that_is_declared() {
    for operation in operations() {
        let about = operation.about["description"].as_str().unwrap_or_default();
        let about = about.replace('\n', " ");
        match operation.scope() {
            Some(scope) if operation.dialect.is_none() => {
                // A viewer token goes where a key of scope player does, for its own user.
                let of_keys = if scope == "viewer" { "player" } else { scope };
                let sentence = format!("Scope: `{of_keys}`.");
                assert!(about.contains(&sentence), "{operation}: {about}");
            }
            _ => assert!(!about.contains("Scope: `"), "{operation}: {about}"),
        }
    }
}
