//! Settings of viewer tokens and their issuers.

use super::{inputs, loaded, problems};

/// The lines of an issuer, after its name, `iss` and audience.
fn issuer(name: &str, more: &str) -> String {
    format!("[[issuers]]\nname = \"{name}\"\nissuer = \"{name}\"\naudience = \"a\"\n{more}\n")
}

#[test]
fn issuers_and_tokens_are_read_with_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        format!("{path:?}")
    };
    let pem = streamgate_tokens::SigningKey::generate_pem().unwrap();
    let key = file("key.pem", pem.as_bytes());
    let signing = streamgate_tokens::SigningKey::from_pem(pem.as_bytes()).unwrap();
    let set = streamgate_tokens::key_set_of([signing.public()].into_iter());
    let set = file("set.json", set.as_bytes());
    let secret = file("secret", &[b's'; 32]);
    let text = format!(
        "[tokens]\nsigning_key_file = {key}\naudience = \"apps\"\n{}{}{}",
        issuer(
            "by-url",
            "jwks_url = \"https://login.example:8443/keys\"\ntenant = \"t\""
        ),
        issuer(
            "by-file",
            &format!("jwks_file = {set}\nalgorithms = [\"EdDSA\"]")
        ),
        issuer(
            "by-secret",
            &format!("hmac_secret_file = {secret}\nalgorithms = [\"HS512\"]\nuser_claim = \"uid\""),
        ),
    );
    let tokens = loaded(inputs(&text, &[], &[])).settings.tokens;
    assert_eq!(tokens.own.signing.unwrap().public(), signing.public());
    assert_eq!(
        (&*tokens.own.issuer, &*tokens.own.audience),
        ("streamgate", "apps")
    );
    let issuers = &tokens.issuers;
    let algorithms = |place: usize| {
        let names = issuers[place].algorithms.iter().map(|it| it.as_str());
        names.collect::<Vec<_>>()
    };
    assert_eq!(algorithms(0), ["ES256", "RS256"]);
    assert_eq!(algorithms(1), ["EdDSA"]);
    assert_eq!(algorithms(2), ["HS512"]);
    assert_eq!(
        (issuers[0].tenant.as_str(), &*issuers[2].user_claim),
        ("t", "uid")
    );
    let variable = "[{name=\"v\", issuer=\"v\", audience=\"a\", jwks_url=\"https://v/\"}]";
    let by_variable = loaded(inputs(&text, &[("STREAMGATE_ISSUERS", variable)], &[]));
    let names = by_variable.settings.tokens.issuers;
    assert_eq!(names.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["v"]);
}

/// Asserts that each of these files is refused with this text, which repeats no key.
fn assert_found(cases: Vec<(String, &str)>) {
    for (text, expected) in cases {
        let problems = problems(inputs(&text, &[], &[])).join("\n");
        assert!(
            problems.contains(expected),
            "{expected:?} is not in:\n{problems}"
        );
        assert!(!problems.contains("BEGIN"), "{problems}");
    }
}

const URL: &str = "jwks_url = \"https://login.example/keys\"";

#[test]
fn what_is_wrong_with_tokens_is_found_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty");
    std::fs::write(&path, "").unwrap();
    let tokens = |line: &str| format!("[tokens]\n{line}");
    assert_found(vec![
        (
            tokens(&format!("signing_key_file = {path:?}")),
            "has no private key in PEM",
        ),
        (
            tokens("signing_key_file = \"/nowhere/key\""),
            "cannot be read",
        ),
        (
            tokens("signing_key_file = \"-----BEGIN PRIVATE KEY-----\""),
            "must be the path of a file, not what is in it",
        ),
        (
            tokens(&format!("previous_key_file = {path:?}")),
            "has neither a private nor a public key",
        ),
        (tokens("issuer = \"\""), "tokens.issuer must not be empty"),
    ]);
}

#[test]
fn what_is_wrong_with_issuers_is_found_by_a_check() {
    let with_url = |line: &str| issuer("a", &format!("{URL}\n{line}"));
    assert_found(vec![
        (issuer("a", ""), "issuers[0].jwks_url is missing"),
        (
            issuer("a", "jwks_url = \"http://login.example/\""),
            "must be an https URL",
        ),
        (
            issuer("a", "jwks_url = \"https://u:p@login.example/\""),
            "must be an https URL",
        ),
        (
            with_url("algorithms = [\"HS256\"]"),
            "must be an algorithm of public keys",
        ),
        (
            with_url("algorithms = [\"none\"]"),
            "must be an algorithm of public keys",
        ),
        (
            with_url("algorithms = []"),
            "issuers[0].algorithms must not be empty",
        ),
        (
            with_url("algorithm = 1"),
            "issuers[0].algorithm is no setting",
        ),
        (
            format!("{}{}", issuer("a", URL), issuer("a", URL)),
            "issuers[1].name names a second issuer \"a\"",
        ),
        (issuer("streamgate", URL), "a token would have two meanings"),
        (
            "[[issuers]]\nname = \"a\"".to_owned(),
            "issuers[0].audience is missing",
        ),
        ("issuers = 1".to_owned(), "must be a list of tables"),
    ]);
}

#[test]
fn what_is_wrong_with_the_files_of_issuers_is_found_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("short");
    std::fs::write(&path, "short").unwrap();
    let broken = dir.path().join("broken");
    let pem = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    std::fs::write(&broken, pem).unwrap();
    let of = |lines: String| issuer("a", &lines);
    assert_found(vec![
        (
            of(format!("{URL}\njwks_ca_file = {broken:?}")),
            "has no certificate in PEM",
        ),
        (
            of(format!("{URL}\njwks_file = {path:?}")),
            "must be the only source of keys",
        ),
        (
            of(format!("jwks_file = {path:?}")),
            "is no JSON web key set",
        ),
        (
            of(format!("{URL}\njwks_ca_file = {path:?}")),
            "has no certificate in PEM",
        ),
        (
            of(format!(
                "hmac_secret_file = {path:?}\nalgorithms = [\"HS256\"]"
            )),
            "has fewer than 32 bytes",
        ),
        (
            of(format!("hmac_secret_file = {path:?}")),
            "issuers[0].algorithms is missing",
        ),
    ]);
}
