//! The claims of a token whose signature is right.

use serde_json::{Map, Value};
use streamgate_core::admission::{Edit, SetUser};
use streamgate_core::bounds::{LIMIT_MAX, whole};
use streamgate_core::ids::Name;
use streamgate_core::{TenantId, UserKey};

use crate::SKEW_S;
use crate::issuer::{Issuer, Trusted};
use crate::refused::Refused;
use crate::viewer::BadEntitlement;

/// The scope of own tokens, as a claim.
pub(crate) const VIEWER: &str = "viewer";

/// Longest id of a token that is kept, in bytes.
const TOKEN_ID_MAX_BYTES: usize = 256;

/// Claims by their names.
pub(crate) type Claims = Map<String, Value>;

/// What the claims say.
pub(crate) struct Said {
    pub(crate) user: UserKey,
    pub(crate) tenant: TenantId,
    pub(crate) token_id: Option<Box<str>>,
    pub(crate) entitlement: Result<Option<Box<SetUser>>, BadEntitlement>,
    pub(crate) over_at_s: i64,
}

/// Checks the claims at this second.
pub(crate) fn check(claims: &Claims, trusted: &Trusted, now_s: i64) -> Result<Said, Refused> {
    let issuer = &trusted.issuer;
    let is_ours = text(claims, "iss") == Some(&issuer.issuer)
        && has_audience(claims.get("aud"), &issuer.audience);
    if !is_ours || (trusted.is_own && text(claims, "scope") != Some(VIEWER)) {
        return Err(Refused::Claims);
    }
    let over_at_s = seconds(claims, "exp")?
        .ok_or(Refused::Claims)?
        .saturating_add(SKEW_S);
    if now_s >= over_at_s {
        return Err(Refused::Expired);
    }
    for begins in ["nbf", "iat"] {
        if seconds(claims, begins)?.is_some_and(|at| at > now_s.saturating_add(SKEW_S)) {
            return Err(Refused::NotYet);
        }
    }
    let tenant = if trusted.is_own {
        let tenant = text(claims, "tenant").ok_or(Refused::Claims)?;
        TenantId::new(tenant).map_err(|_| Refused::Claims)?
    } else {
        issuer.tenant.clone()
    };
    let user = match claims.get(&issuer.user_claim) {
        Some(Value::String(text)) => UserKey::of_text(&tenant, text),
        // Some providers number their users.
        Some(Value::Number(number)) if !number.is_f64() => {
            UserKey::of_text(&tenant, &number.to_string())
        }
        _ => return Err(Refused::Claims),
    };
    let token_id = text(claims, "jti").filter(|id| id.len() <= TOKEN_ID_MAX_BYTES);
    Ok(Said {
        user: user.map_err(|_| Refused::Claims)?,
        tenant,
        token_id: token_id.map(Into::into),
        entitlement: entitlement(claims, issuer),
        over_at_s,
    })
}

/// A claim that is text.
pub(crate) fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// Whether the audience is this one, or has it in its list.
fn has_audience(claim: Option<&Value>, audience: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

/// A time (NumericDate of RFC 7519, fractions allowed) in whole seconds since 1970.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a time beyond the range of the type is as far away as its end"
)]
fn seconds(claims: &Claims, name: &str) -> Result<Option<i64>, Refused> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(number) => Ok(Some(number.floor() as i64)),
            None => Err(Refused::Claims),
        },
    }
}

/// What the token says about its user. A claim that is missing says nothing, null clears.
fn entitlement(claims: &Claims, issuer: &Issuer) -> Result<Option<Box<SetUser>>, BadEntitlement> {
    let claim = |name: &Option<String>| name.as_ref().and_then(|name| claims.get(name));
    let plan = match claim(&issuer.plan_claim) {
        None => Edit::Keep,
        Some(Value::Null) => Edit::Clear,
        Some(Value::String(plan)) => {
            Edit::Set(Name::new(plan.as_str()).map_err(|_| BadEntitlement::Plan)?)
        }
        Some(_) => return Err(BadEntitlement::Plan),
    };
    let limit = match claim(&issuer.limit_claim) {
        None => Edit::Keep,
        Some(Value::Null) => Edit::Clear,
        Some(value) => {
            let limit = value
                .as_f64()
                .and_then(|number| whole(number, 0..=LIMIT_MAX));
            Edit::Set(limit.ok_or(BadEntitlement::Limit)?)
        }
    };
    if (&plan, &limit) == (&Edit::Keep, &Edit::Keep) {
        return Ok(None);
    }
    Ok(Some(Box::new(SetUser {
        plan,
        limit,
        profile: Edit::Keep,
    })))
}
