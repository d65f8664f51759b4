//! `[[issuers]]`: identity providers whose tokens are accepted.

use std::sync::Arc;

use streamgate_server::certificates_in_pem;
use streamgate_tokens::{
    Algorithm, Issuer, KeySet, Location, OwnTokens, Secret, Settings, SettingsError, Source,
};

use super::files;
use crate::config::entry::KeyPath;
use crate::config::reader::{Ask, Reader};
use crate::config::value::{not_empty, quoted};

const NAME: Ask = Ask("name", "The name of the issuer in logs and metrics.");
const ISSUER: Ask = Ask(
    "issuer",
    "What its tokens name as their issuer (`iss`), exactly.",
);
const AUDIENCE: Ask = Ask(
    "audience",
    "What its tokens must name as their audience (`aud`), exactly; one of them, if they name \
     several.",
);
const JWKS_URL: Ask = Ask(
    "jwks_url",
    "The https URL of its public keys (JWKS). This, jwks_file or hmac_secret_file must be set.",
);
const JWKS_CA_FILE: Ask = Ask(
    "jwks_ca_file",
    "With jwks_url: a PEM file with the authorities that the certificate of the URL must come \
     from. Unless set, the public authorities.",
);
const JWKS_FILE: Ask = Ask("jwks_file", "A file with its public keys (JWKS).");
const HMAC_SECRET_FILE: Ask = Ask(
    "hmac_secret_file",
    "A file with the secret that it signs with, of at least 32 bytes.",
);
const ALGORITHMS: Ask = Ask(
    "algorithms",
    "The algorithms that it may sign with. With hmac_secret_file it must be set, to some of HS256, \
     HS384 and HS512, and these stand with no other source.",
);
const TENANT: Ask = Ask("tenant", "The organisation of its users.");
const USER_CLAIM: Ask = Ask("user_claim", "The claim that names the user.");
const PLAN_CLAIM: Ask = Ask(
    "plan_claim",
    "The claim that names the plan of the user, one of [plans.NAME]; recorded with each start, as \
     by PUT /v1/users/{user_id}. Unless set, tokens say nothing about plans.",
);
const LIMIT_CLAIM: Ask = Ask(
    "limit_claim",
    "The same with the limit of the user, a whole number from 0 to 1000.",
);

/// The claim that names the user, unless set.
const USER_CLAIM_DEFAULT: &str = "sub";

/// Reads every issuer. Two must not share a name or an `iss`, also with this server's own tokens.
pub(crate) fn read(reader: &mut Reader, own: OwnTokens) -> Settings {
    reader.section(
        "[[issuers]]",
        "Identity providers whose tokens (JWT) viewers may use in place of minted ones. A server \
         with an issuer and without keys is not open. SIGHUP reads the files again.",
    );
    reader.example(&[
        "[[issuers]]",
        "name = \"login\"",
        "issuer = \"https://login.example.com/\"",
        "audience = \"streams\"",
        "jwks_url = \"https://login.example.com/.well-known/jwks.json\"",
        "plan_claim = \"plan\"",
    ]);
    reader.pattern(read_issuer);
    let mut settings = Settings {
        issuers: Vec::new(),
        own,
    };
    for index in 0..reader.items("issuers") {
        reader.enter(KeyPath::new("issuers").item(index));
        let Some(issuer) = read_issuer(reader) else {
            continue;
        };
        settings.issuers.push(issuer);
        match settings.check() {
            Ok(()) => continue,
            Err(SettingsError::Name(name)) => {
                reader.wrong_here(NAME.0, format!("names a second issuer {name:?}"));
            }
            Err(SettingsError::Issuer(_)) => reader.wrong_here(
                ISSUER.0,
                "is that of an earlier issuer, or tokens.issuer: a token would have two meanings",
            ),
        }
        settings.issuers.pop();
    }
    settings
}

fn read_issuer(reader: &mut Reader) -> Option<Issuer> {
    let [name, issuer, audience] = [NAME, ISSUER, AUDIENCE].map(|ask| required(reader, ask));
    let (source, is_secret) = read_source(reader);
    let algorithms = read_algorithms(reader, is_secret);
    let tenant = reader.tenant(TENANT);
    let user_claim = reader.text(USER_CLAIM, "text", Some(USER_CLAIM_DEFAULT), not_empty);
    let plan_claim = reader.text_or_none(PLAN_CLAIM, "text", |_| Ok(()));
    let limit_claim = reader.text_or_none(LIMIT_CLAIM, "text", |_| Ok(()));
    Some(Issuer {
        name: name?.into(),
        issuer: issuer?,
        audience: audience?,
        source: source?,
        algorithms: algorithms?,
        tenant: tenant?,
        user_claim: user_claim?,
        plan_claim,
        limit_claim,
    })
}

/// Text that an issuer must have.
fn required(reader: &mut Reader, ask: Ask) -> Option<String> {
    let text = reader.text(ask, "text", None, not_empty);
    if text.is_none() {
        reader.missing(ask.0);
    }
    text
}

/// Where the keys come from: one of three; and whether that is a secret, also if it is wrong.
fn read_source(reader: &mut Reader) -> (Option<Source>, bool) {
    let url = reader.text_or_none(JWKS_URL, "URL", check_url);
    let [ca, set, secret] =
        [JWKS_CA_FILE, JWKS_FILE, HMAC_SECRET_FILE].map(|ask| reader.path(ask, "a file"));
    if ca.is_some() && url.is_none() {
        reader.wrong_here(JWKS_CA_FILE.0, "is of no use without jwks_url");
    }
    let is_secret = secret.is_some();
    (source_of(reader, (url, ca), set, secret), is_secret)
}

fn source_of(
    reader: &mut Reader,
    (url, ca): (Option<String>, Option<String>),
    set: Option<String>,
    secret: Option<String>,
) -> Option<Source> {
    match (url, set, secret) {
        (Some(url), None, None) => {
            let authorities = match ca {
                None => None,
                Some(ca) => Some(files::parsed(reader, JWKS_CA_FILE, &ca, authorities)?),
            };
            Some(Source::Url(Location { url, authorities }))
        }
        (None, Some(set), None) => {
            files::parsed(reader, JWKS_FILE, &set, KeySet::parse).map(Source::Set)
        }
        (None, None, Some(secret)) => {
            files::parsed(reader, HMAC_SECRET_FILE, &secret, Secret::new).map(Source::Secret)
        }
        (None, None, None) => {
            reader.missing(JWKS_URL.0);
            None
        }
        _ => {
            reader.wrong_here(
                JWKS_URL.0,
                "must be the only source of keys: set one of jwks_url, jwks_file and \
                 hmac_secret_file",
            );
            None
        }
    }
}

/// The bytes of a PEM file that has certificates.
fn authorities(pem: &[u8]) -> Result<Arc<[u8]>, &'static str> {
    match certificates_in_pem(pem) {
        Ok(_) => Ok(pem.into()),
        Err(_) => Err("has no certificate in PEM"),
    }
}

/// Without https a man in the middle could substitute the keys.
fn check_url(url: &str) -> Result<(), String> {
    if url.is_empty() {
        return Ok(());
    }
    match url
        .strip_prefix("https://")
        .map(|rest| rest.split('/').next())
    {
        Some(Some(host)) if !host.is_empty() && !host.contains('@') => Ok(()),
        _ => Err(format!(
            "must be an https URL without a password, is {}",
            quoted(url)
        )),
    }
}

/// The algorithms, and whether they fit the source.
fn read_algorithms(reader: &mut Reader, is_secret: bool) -> Option<Vec<Algorithm>> {
    let default = (!is_secret).then(|| Algorithm::OF_KEY_SETS.to_vec());
    let show = |algorithms: &Vec<Algorithm>| shown(algorithms);
    let takes = format!("list of {}", words());
    let read = reader.read(ALGORITHMS, takes, default, show, |value| {
        let names = value.texts()?;
        if names.is_empty() {
            return Err("must not be empty".to_owned());
        }
        let named = names.iter().map(|name| {
            let known = Algorithm::of_name(name).filter(|it| it.is_hmac() == is_secret);
            known.ok_or_else(|| {
                let of = if is_secret { "a secret" } else { "public keys" };
                format!(
                    "each entry must be an algorithm of {of}, is {}",
                    quoted(name)
                )
            })
        });
        named.collect()
    });
    if read.is_none() {
        reader.missing(ALGORITHMS.0);
    }
    read
}

fn words() -> String {
    let words: Vec<&str> = Algorithm::ALL.iter().map(|it| it.as_str()).collect();
    words.join(", ")
}

fn shown(algorithms: &[Algorithm]) -> String {
    let names: Vec<String> = algorithms.iter().map(|it| quoted(it.as_str())).collect();
    format!("[{}]", names.join(", "))
}
