//! `[store.redis]`: certificates for TLS, and the credentials for sentinels.
//!
//! What is *not* here: the user and the password of the servers themselves, which stand in the URL.

use streamgate_store_redis::{CertificateError, Certificates, Credentials, RedisSettings};

use crate::config::reader::{Ask, Reader};
use crate::config::sections::files;
use crate::config::value::{Value, quoted};

/// Shown in place of a password.
const HIDDEN: &str = "***";

const CA_FILE: Ask = Ask(
    "tls_ca_file",
    "With rediss: a PEM file with the certificates of the authorities that the servers' \
     certificates must come from. Unless set, the public authorities.",
);
const CERT_FILE: Ask = Ask(
    "tls_cert_file",
    "With rediss: a PEM file with the certificate that this node shows to servers that ask for \
     one.",
);
const KEY_FILE: Ask = Ask(
    "tls_key_file",
    "With rediss: a PEM file with the key of that certificate, not encrypted.",
);
const SENTINEL_USER: Ask = Ask(
    "sentinel_user",
    "The user for the sentinels, which have users of their own. Unless set, the default user.",
);
const SENTINEL_PASSWORD: Ask = Ask(
    "sentinel_password",
    "The password for the sentinels, if they ask for one. The password in store.url is for the \
     servers.",
);

/// Reads certificates and keys. Files are read only for a URL that uses them.
pub(super) fn read_certificates(reader: &mut Reader, redis: &RedisSettings) -> Certificates {
    let [ca, cert, key] = [CA_FILE, CERT_FILE, KEY_FILE].map(|ask| reader.path(ask, "a PEM file"));
    let named = [(CA_FILE, &ca), (CERT_FILE, &cert), (KEY_FILE, &key)];
    if redis.url.is_empty() {
        return Certificates::default(); // Another store: this section has no effect.
    }
    if !redis.wants_tls() {
        // Certificates that are set mean that an encrypted connection is expected.
        for (Ask(name, _), file) in named {
            if file.is_some() {
                reader.wrong_here(
                    name,
                    "is set, but store.url is without TLS: begin it with rediss",
                );
            }
        }
        return Certificates::default();
    }
    match (&cert, &key) {
        (Some(_), None) => reader.wrong_here(
            CERT_FILE.0,
            "is of no use without store.redis.tls_key_file, the key of the certificate",
        ),
        (None, Some(_)) => reader.wrong_here(
            KEY_FILE.0,
            "is of no use without store.redis.tls_cert_file, the certificate of the key",
        ),
        _ => {}
    }
    let [authorities, certificate, key_pem] =
        named.map(|(ask, file)| files::contents(reader, ask, file.as_deref()?));
    let certificates = Certificates {
        authorities,
        client: certificate.zip(key_pem),
    };
    if let Err(error) = certificates.check() {
        let (ask, file, why) = match error {
            CertificateError::Authorities(why) => (CA_FILE, ca, why),
            CertificateError::Certificate(why) => (CERT_FILE, cert, why),
            CertificateError::Key(why) => (KEY_FILE, key, why),
        };
        let file = file.unwrap_or_default();
        reader.wrong_here(ask.0, format!("names {file}: {why}"));
    }
    certificates
}

/// Reads the user and the password for sentinels.
pub(super) fn read_sentinels(reader: &mut Reader, redis: &RedisSettings) -> Credentials {
    let user = reader.text_or_none(SENTINEL_USER, "text", |_| Ok(()));
    let (takes, default) = ("text".to_owned(), Some(String::new()));
    let show = |password: &String| quoted(if password.is_empty() { "" } else { HIDDEN });
    let password = reader.read(SENTINEL_PASSWORD, takes, default, show, |value| {
        match value {
            Value::Text(_) | Value::Untyped(_) => value.text().map(str::to_owned),
            // Not repeated, whatever it is: a number can be a password.
            _ => Err("must be text".to_owned()),
        }
    });
    let password = password.filter(|text| !text.is_empty());
    if user.is_some() && password.is_none() {
        reader.wrong_here(
            SENTINEL_USER.0,
            "is of no use without store.redis.sentinel_password",
        );
    }
    let is_set = [
        (SENTINEL_USER, user.is_some()),
        (SENTINEL_PASSWORD, password.is_some()),
    ];
    for (Ask(name, _), is_set) in is_set {
        if is_set && !redis.url.is_empty() && !redis.wants_sentinels() {
            reader.wrong_here(
                name,
                "is set, but store.url names no sentinels: redis+sentinel://HOST,HOST/NAME",
            );
        }
    }
    Credentials { user, password }
}
