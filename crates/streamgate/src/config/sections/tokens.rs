//! `[tokens]`: the viewer tokens that this server mints.

use std::sync::Arc;

use streamgate_tokens::{OwnTokens, SigningKey, VerifyingKey};

use super::files;
use crate::config::reader::{Ask, Reader};
use crate::config::value::not_empty;

/// Reads the section. Files are read, too.
pub(crate) fn read(reader: &mut Reader) -> OwnTokens {
    reader.section(
        "[tokens]",
        "Viewer tokens that this server mints (POST /v1/users/{user_id}/tokens): credentials of \
         apps, each for one user. SIGHUP reads the files again.",
    );
    let issuer = Ask("issuer", "What minted tokens name as their issuer (`iss`).");
    let audience = Ask(
        "audience",
        "What minted tokens name as their audience (`aud`).",
    );
    let signing = Ask(
        "signing_key_file",
        "A PEM file with the private key that signs tokens, on P-256 (ES256); the same on all \
         nodes that share a store. With the embedded store, and unless set, the server makes one \
         in its data directory.",
    );
    let previous = Ask(
        "previous_key_file",
        "A PEM file with the private or public key that signed tokens before: its tokens are \
         accepted until they expire, a day at most.",
    );
    let names = OwnTokens::default();
    let issuer = name(reader, issuer, &names.issuer);
    let audience = name(reader, audience, &names.audience);
    OwnTokens {
        issuer,
        audience,
        signing: files::read(reader, signing, SigningKey::from_pem).map(Arc::new),
        previous: files::read(reader, previous, VerifyingKey::from_pem),
    }
}

fn name(reader: &mut Reader, ask: Ask, default: &str) -> String {
    reader
        .text(ask, "text", Some(default), not_empty)
        .unwrap_or_else(|| default.to_owned())
}
