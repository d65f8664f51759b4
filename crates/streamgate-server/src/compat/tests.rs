//! The hooks of [`Dialect`], used by a dialect that overrides each of them.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use streamgate_core::{Seconds, TenantId};
use tower::ServiceExt as _;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::caller::DialectCaller;
use super::dialect::Dialect;
use super::mount::service;
use super::settings::{CompatSettings, DialectName, DialectSettings};
use crate::caller::access::Player;
use crate::caller::grant::{Identity, Permit};
use crate::caller::keys::Scope;
use crate::problem::{ApiError, Code};
use crate::routing::layers::RouteLayers;
use crate::settings::ServerSettings;
use crate::state::App;

/// Authenticates by `Authorization: App NAME`, where the name is the tenant.
struct Probe;

impl Dialect for Probe {
    /// Borrowed: the name only labels metrics and finds settings.
    const NAME: DialectName = DialectName::UserStreams;
    const ERROR_SCHEMA: Option<&'static str> = None;
    const ABOUT: &'static str = "A dialect for tests.";

    fn routes() -> Vec<UtoipaMethodRouter<Arc<App>>> {
        vec![routes!(lease)]
    }

    fn failure(error: &ApiError) -> Response {
        (error.code().status(), "").into_response()
    }

    fn caller(parts: &Parts, _app: &App, _needed: Scope) -> Result<Permit, ApiError> {
        let name = |headers: &HeaderMap| {
            let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
            value.strip_prefix("App ").map(str::to_owned)
        };
        match name(&parts.headers) {
            Some(name) if name == "elsewhere" => {
                let error = ApiError::new(Code::Unauthenticated, "this app is another server's");
                let challenge = HeaderValue::from_static("App realm=\"tests\"");
                Err(error.with_header(header::WWW_AUTHENTICATE, challenge))
            }
            Some(name) => {
                let tenant = TenantId::new(name).map_err(|why| ApiError::field("app", why))?;
                let identity = Identity::Anonymous(None);
                Ok(Permit { tenant, identity })
            }
            None => Err(ApiError::new(Code::Unauthenticated, "no app")),
        }
    }

    fn path(path: &str) -> Cow<'_, str> {
        Cow::Owned(path.replace("//", "/"))
    }
}

/// Says the tenant, and the lease of a start
#[utoipa::path(get, path = "/v2/lease", responses((status = 200, description = "Both.")))]
async fn lease(caller: DialectCaller<Probe, Player>) -> Result<String, ApiError> {
    let start = caller.start_of(caller.engine().new_session_id())?;
    let lease = start.lease.expect("a dialect has a lease");
    Ok(format!("{} {}", caller.tenant(), lease.0))
}

fn app() -> Arc<App> {
    let own = DialectSettings {
        lease: Some(Seconds(90)),
    };
    let compat = CompatSettings {
        by_dialect: [(Probe::NAME, own)].into(),
        ..CompatSettings::default()
    };
    crate::app::tests::service(ServerSettings {
        compat,
        ..ServerSettings::default()
    })
    .app
}

async fn get(path: &str, authorization: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let app = app();
    let layers = RouteLayers::new(&ServerSettings::default(), Arc::clone(&app.metrics));
    let mut request = Request::get(path);
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = service::<Probe>(&app, &layers)
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.into()).unwrap();
    (parts.status, parts.headers, body)
}

#[tokio::test]
async fn a_dialect_can_have_credentials_paths_and_a_lease_of_its_own() {
    for path in ["/v2/lease", "//v2/lease?x=//", "/v2//lease"] {
        let (status, _, body) = get(path, Some("App stage")).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::OK, "stage 90"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_challenge_of_a_401_is_what_the_dialect_makes_it() {
    let (status, headers, _) = get("/v2/lease", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers.get(header::WWW_AUTHENTICATE), None);
    let (status, headers, _) = get("/v2/lease", Some("App elsewhere")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[header::WWW_AUTHENTICATE], "App realm=\"tests\"");
}
