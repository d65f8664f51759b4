//! Names of tenants, users and sessions: what is taken, what is refused and why, and that no two
//! different names ever become one.

use std::collections::BTreeSet;

use streamgate_core::ids::{Name, TextError};
use streamgate_core::{SessionId, TenantId, UserId, UserKey};

const UUID: &str = "01930c3e-7a5b-7c4d-8e9f-0a1b2c3d4e5f";

/// Each kind of text: its name, its bound in bytes, and its check.
type Kind = (&'static str, usize, fn(&str) -> Result<String, TextError>);

const KINDS: [Kind; 4] = [
    ("tenant", 64, |text| {
        TenantId::new(text).map(|id| id.to_string())
    }),
    ("user", 256, |text| {
        UserId::new(text).map(|id| id.to_string())
    }),
    ("name", 256, |text| Name::new(text).map(|id| id.to_string())),
    ("session", 128, |text| {
        SessionId::new(text).map(|id| id.to_string())
    }),
];

fn key(tenant: &str, user: &str) -> UserKey {
    let tenant = TenantId::new(tenant).expect("a valid tenant id");
    UserKey::new(&tenant, &UserId::new(user).expect("a valid user id"))
}

#[test]
fn lengths_are_in_bytes_from_one_to_the_bound() {
    for (kind, max, check) in KINDS {
        assert_eq!(check(""), Err(TextError::Empty), "{kind}");
        for len in [1, max - 1, max] {
            let text = "x".repeat(len);
            assert_eq!(check(&text), Ok(text.clone()), "{kind} of {len}");
        }
        for len in [max + 1, max * 100] {
            let refused = Err(TextError::TooLong { max, len });
            assert_eq!(check(&"x".repeat(len)), refused, "{kind} of {len}");
        }
    }
}

#[test]
fn letters_of_many_bytes_count_as_many() {
    for (kind, max, check) in KINDS {
        let fits = "é".repeat(max / 2);
        assert_eq!(check(&fits), Ok(fits.clone()), "{kind}");
        let len = max + 1;
        assert_eq!(
            check(&format!("{fits}x")),
            Err(TextError::TooLong { max, len }),
            "{kind}"
        );
        let len = max + 4;
        assert_eq!(
            check(&format!("{fits}📺")),
            Err(TextError::TooLong { max, len }),
            "{kind}"
        );
    }
}

#[test]
fn control_characters_are_refused_wherever_they_stand() {
    let controls = (0..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32);
    let controls: Vec<char> = controls.collect();
    assert_eq!(
        controls.len(),
        65,
        "U+0085, which ends a line, is among them"
    );
    for (kind, _, check) in KINDS {
        for control in &controls {
            for text in [
                format!("{control}"),
                format!("a{control}"),
                format!("é{control}b"),
            ] {
                assert_eq!(check(&text), Err(TextError::Control), "{kind} {text:?}");
            }
        }
    }
}

#[test]
fn every_other_character_is_taken_as_it_is() {
    let texts = [
        " ",
        "~",
        "a b",
        "/",
        "..",
        "%2F",
        "\"",
        "\\",
        "<script>",
        "\u{a0}",
        "\u{200b}",
        "\u{fffd}",
        "\u{2028}",
        "مستخدم",
        "用户",
        "👩‍👩‍👧",
        "e\u{301}",
        "\u{10ffff}",
    ];
    for (kind, _, check) in KINDS {
        for text in texts {
            assert_eq!(check(text).as_deref(), Ok(text), "{kind}");
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let long = TextError::TooLong { max: 64, len: 65 };
    assert_eq!(TextError::Empty.to_string(), "must not be empty");
    assert_eq!(long.to_string(), "must be at most 64 bytes long, is 65");
    assert_eq!(
        TextError::Control.to_string(),
        "must not contain control characters"
    );
}

#[test]
fn spellings_of_a_uuid_are_names_of_their_own() {
    let spellings = [
        UUID.to_owned(),
        UUID.to_uppercase(),
        UUID.replacen('e', "E", 1),
        format!("{{{UUID}}}"),
        format!("urn:uuid:{UUID}"),
        UUID.replace('-', ""),
        format!("{UUID} "),
        UUID.replace('-', "_"),
        UUID.replacen('-', "", 1) + "-",
    ];
    let ids: Vec<SessionId> = spellings
        .iter()
        .map(|text| crate::support::id(text))
        .collect();
    for (id, text) in ids.iter().zip(&spellings) {
        assert_eq!(id.to_string(), *text, "it comes back as it was given");
        assert_eq!(id.as_uuid_bytes().is_some(), text == UUID, "{text}");
        assert_eq!(format!("{id:?}"), format!("SessionId({text:?})"));
    }
    let distinct: BTreeSet<&SessionId> = ids.iter().collect();
    assert_eq!(distinct.len(), spellings.len());
}

#[test]
fn a_uuid_has_the_same_name_from_text_and_from_bytes() {
    for bytes in [
        [0; 16],
        [0xff; 16],
        *b"\x01\x93\x0c\x3e\x7a\x5b\x7c\x4d\x8e\x9f\x0a\x1b\x2c\x3d\x4e\x5f",
    ] {
        let id = SessionId::from_uuid_bytes(bytes);
        let text = id.to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(SessionId::new(&text), Ok(id.clone()));
        assert_eq!(id.as_uuid_bytes(), Some(&bytes));
        assert_eq!(id.with_str(str::to_owned), text);
    }
    assert_eq!(
        crate::support::id(UUID)
            .as_uuid_bytes()
            .map(|bytes| bytes[15]),
        Some(0x5f)
    );
}

#[test]
fn a_key_is_a_tenant_a_zero_and_a_user() {
    let key = key("acme", "ana@example.com");
    assert_eq!(key.as_bytes(), b"acme\0ana@example.com");
    assert_eq!((key.tenant(), key.user()), ("acme", "ana@example.com"));
    assert_eq!(format!("{key:?}"), "UserKey(\"acme\", \"ana@example.com\")");
    assert_eq!(TenantId::default_tenant().as_str(), "default");
    assert_eq!(TenantId::new("default"), Ok(TenantId::default_tenant()));
}

#[test]
fn keys_come_back_from_their_bytes() {
    let keys = [
        key("t", "u"),
        key(&"t".repeat(64), &"u".repeat(256)),
        key("locatário", "utilizador 📺"),
    ];
    for key in keys {
        assert_eq!(UserKey::from_bytes(key.as_bytes()), Some(key.clone()));
    }
    // The border between the two names is part of the key.
    assert_ne!(key("a", "bc").as_bytes(), key("ab", "c").as_bytes());
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    let long_tenant = [&[b't'; 65][..], b"\0u"].concat();
    let longer_tenant = [&[b't'; 300][..], b"\0u"].concat();
    let long_user = [b"t\0", &[b'u'; 257][..]].concat();
    let cases: [(&str, &[u8]); 12] = [
        ("nothing", b""),
        ("no zero", b"tenant"),
        ("a zero only", b"\0"),
        ("no tenant", b"\0user"),
        ("no user", b"tenant\0"),
        ("two zeros", b"tenant\0us\0er"),
        ("a control character in the tenant", b"ten\x1fant\0user"),
        ("a control character in the user", b"tenant\0us\xc2\x85er"),
        ("a tenant that is no UTF-8", b"ten\xffant\0user"),
        ("a user that is no UTF-8", b"tenant\0us\xc3"),
        ("a tenant of 65 bytes", &long_tenant),
        ("a user of 257 bytes", &long_user),
    ];
    for (what, bytes) in cases {
        assert_eq!(UserKey::from_bytes(bytes), None, "{what}");
    }
    assert_eq!(
        UserKey::from_bytes(&longer_tenant),
        None,
        "more than a byte can count"
    );
}
