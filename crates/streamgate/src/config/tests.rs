//! Tests of the settings as a whole: what wins, what is wrong, and the documents.

mod issuers;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use streamgate_server::DialectName;
use streamgate_testkit::generated::assert_generated;

use super::entry::KeyPath;
use super::generated::{default_file, reference};
use super::layers::Inputs;
use super::{Loaded, defaults, effective, parse};

fn inputs(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Inputs {
    let variables = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect::<BTreeMap<_, _>>();
    let flags = flags
        .iter()
        .map(|(path, text)| (KeyPath::new(path), (*text).to_owned(), "--set".to_owned()))
        .collect();
    Inputs {
        file: Some(("s.toml".to_owned(), file.to_owned())),
        variables,
        flags,
    }
}

fn loaded(inputs: Inputs) -> Loaded {
    parse(inputs, Vec::new()).unwrap_or_else(|problems| panic!("{}", shown(&problems).join("\n")))
}

fn problems(inputs: Inputs) -> Vec<String> {
    shown(&parse(inputs, Vec::new()).expect_err("something is wrong"))
}

fn shown(problems: &[super::Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn assert_committed(path: &str, text: &str) {
    assert_generated(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), text);
}

#[test]
fn the_default_file_is_committed_and_is_exactly_the_defaults() {
    let defaults = defaults();
    let text = default_file(&defaults);
    assert_committed("src/config/default.toml", &text);

    let set = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| if set(line) { &line[1..] } else { line })
        .collect();
    for file in [text.as_str(), &uncommented.join("\n")] {
        let again = loaded(inputs(file, &[], &[]));
        assert_eq!(
            format!("{:?}", again.settings),
            format!("{:?}", defaults.settings)
        );
    }
    let named = uncommented
        .iter()
        .filter(|line| line.contains(" = "))
        .count();
    for declared in &defaults.declared {
        assert!(
            text.contains(&format!("#{} = ", declared.name))
                || text.contains(&format!("# {}: ", declared.name)),
            "{} is not in the default file",
            declared.path
        );
    }
    let of_tables = defaults.declared.iter().filter(|it| it.is_pattern).count();
    assert!(named >= defaults.declared.len() - of_tables);
}

#[test]
fn the_reference_is_committed() {
    let text = reference(&defaults());
    assert_committed("../../docs/configuration.md", &text);
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"\n[policy]\nlease_s = 10\nrevive_window_s = 11\n";
    let settings = loaded(inputs(
        file,
        &[
            ("STREAMGATE_POLICY_LEASE_S", "20"),
            ("STREAMGATE_LISTEN", "127.0.0.1:2"),
        ],
        &[("listen", "127.0.0.1:3")],
    ))
    .settings;
    assert_eq!(settings.general.listen.port(), 3);
    assert_eq!(settings.policy.lease.0, 20);
    assert_eq!(settings.policy.heartbeat_interval.0, 6, "a third");
    assert_eq!(settings.policy.revive_window.0, 11);
}

#[test]
fn everything_that_is_wrong_is_reported_at_once_with_its_place() {
    let file = "\
[policy]
lease_s = 3
at_limit = \"lifo\"
defualt_limit = 3

[plans.basic]

[http]
header_timeout_s = \"10\"
[nonsense]
";
    let found = problems(inputs(
        file,
        &[
            ("STREAMGATE_HTTP_MAX_CONECTIONS", "5"),
            ("STREAMGATE_STORE_DURABILITY", "always"),
        ],
        &[("log.format", "xml"), ("log", "x"), ("listen", "8080")],
    ));
    let expected = [
        "s.toml:2: policy.lease_s must be 5 to 86400, is 3",
        "s.toml:3: policy.at_limit must be \"deny_new\" or \"evict_oldest\", is \"lifo\"",
        "s.toml:4: policy.defualt_limit is no setting; did you mean policy.default_limit?",
        "s.toml:6: plans.basic.limit is missing",
        "s.toml:9: http.header_timeout_s must be a whole number, is \"10\"",
        "s.toml:10: nonsense is no setting",
        "environment STREAMGATE_HTTP_MAX_CONECTIONS: is no setting; did you mean \
         STREAMGATE_HTTP_MAX_CONNECTIONS?",
        "environment STREAMGATE_STORE_DURABILITY: store.durability must be \"fsync\", \"os\" or \
         \"none\", is \"always\"",
        "--set: listen must be an IP address and port, is \"8080\": invalid socket address \
         syntax",
        "--set: log.format must be \"human\" or \"json\", is \"xml\"",
        "--set: log is a section, not a setting: write [log] above its settings",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_is_no_toml_is_reported_with_its_line_and_the_rest_is_read() {
    let found = problems(inputs(
        "a = 1\nlisten = \n[policy]\nlease_s = 1\n",
        &[],
        &[],
    ));
    assert_eq!(
        found,
        [
            "s.toml:1: a is no setting",
            "s.toml:2: is not valid TOML: string values must be quoted, expected literal string",
            "s.toml:4: policy.lease_s must be 5 to 86400, is 1",
        ]
    );
}

#[test]
fn plans_add_up_over_all_places() {
    let file = "[plans.basic]\nlimit = 1\n[plans.premium]\nlimit = 4\n[plans.tv-2]\nlimit = 3\n";
    let settings = loaded(inputs(
        file,
        &[
            ("STREAMGATE_PLANS_PREMIUM_AT_LIMIT", "evict_oldest"),
            ("STREAMGATE_PLANS_FAMILY_LIMIT", "6"),
            ("STREAMGATE_PLANS_TV_2_LIMIT", "7"),
        ],
        &[(
            "plans",
            "{ premium = { limit = 5 }, \"big one\" = { limit = 9 } }",
        )],
    ))
    .settings;
    let shown: Vec<String> = settings
        .policy
        .plans
        .iter()
        .map(|(name, plan)| format!("{name} {} {:?}", plan.limit, plan.at_limit))
        .collect();
    assert_eq!(
        shown,
        [
            "basic 1 None",
            "big one 9 None",
            "family 6 None",
            "premium 5 Some(EvictOldest)",
            "tv-2 7 None"
        ]
    );
    assert_eq!(
        problems(inputs(
            "",
            &[("STREAMGATE_PLANS_X_AT_LIMIT", "deny_new")],
            &[]
        )),
        ["environment STREAMGATE_PLANS_X_AT_LIMIT: plans.x.limit is missing"]
    );
}

#[test]
fn the_strongest_place_that_has_keys_replaces_all_others() {
    let hash = "a".repeat(64);
    let file = format!("[[keys]]\nname = \"old\"\nscope = \"admin\"\nsha256 = \"{hash}\"\n");
    let keys = format!("[{{ name = \"new\", scope = \"player\", sha256 = \"{hash}\" }}]");
    let of = |inputs| {
        let keys = loaded(inputs).settings.server.keys;
        let names: Vec<String> = keys
            .entries()
            .iter()
            .map(|key| key.name.to_string())
            .collect();
        names
    };
    assert_eq!(of(inputs(&file, &[], &[])), ["old"]);
    assert_eq!(
        of(inputs(&file, &[("STREAMGATE_KEYS", &keys)], &[])),
        ["new"]
    );
    assert!(
        of(inputs(
            &file,
            &[("STREAMGATE_KEYS", &keys)],
            &[("keys", "[]")]
        ))
        .is_empty()
    );
}

#[test]
fn what_is_wrong_with_keys_is_named_and_no_secret_is_shown() {
    let hash = "a".repeat(64);
    let file = format!(
        "[[keys]]\nname = \"a\"\nscope = \"root\"\nsha256 = \"sgk_the-key-itself\"\n\
         [[keys]]\nname = \"b\"\nscope = \"player\"\nsha256 = \"{hash}\"\n\
         [[keys]]\nname = \"b\"\nscope = \"player\"\nsha256 = \"{hash}\"\ntenant = \"\"\n\
         [[keys]]\n"
    );
    let found = problems(inputs(&file, &[], &[])).join("\n");
    assert_eq!(
        found,
        "s.toml:3: keys[0].scope must be \"player\", \"service\" or \"admin\", is \"root\"\n\
         s.toml:4: keys[0].sha256 must be the SHA-256 of a key, 64 hexadecimal digits; \
         `streamgate key new` prints it\n\
         s.toml:10: keys[2].name names a second key \"b\"\n\
         s.toml:12: keys[2].sha256 is the hash of an earlier key\n\
         s.toml:13: keys[2].tenant must not be empty\n\
         s.toml:14: keys[3].name is missing\n\
         s.toml:14: keys[3].sha256 is missing\n\
         s.toml:14: keys[3].scope is missing"
    );
    for wrong in ["keys = 5\n", "keys = [1]\n", "[keys]\nname = \"x\"\n"] {
        let found = problems(inputs(wrong, &[], &[]));
        assert!(
            found[0].contains("keys must be a list of tables"),
            "{found:?}"
        );
    }
}

#[test]
fn what_counts_is_shown_with_its_place_and_is_itself_a_valid_file() {
    let hash = "a".repeat(64);
    let file = format!(
        "[plans.\"big one\"]\nlimit = 9\n\
         [[keys]]\nname = \"a\"\nscope = \"admin\"\nsha256 = \"{hash}\"\n"
    );
    let variables = [("RUST_LOG", "debug"), ("STREAMGATE_LOG_FILTER", "warn")];
    let text = effective(&loaded(inputs(
        &file,
        &variables,
        &[("http.shutdown_grace_s", "0")],
    )));
    for line in [
        "listen = \"127.0.0.1:8080\"                        # default",
        "filter = \"debug\"                                 # environment RUST_LOG",
        "[plans.\"big one\"]",
        "limit = 9                                        # s.toml:2",
        "sha256 = \"aaaaaa…\"                               # s.toml:6",
        "shutdown_grace_s = 0                             # --set",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(&hash));
    let without_hash = text.replace("aaaaaa…", &hash);
    loaded(inputs(&without_hash, &[], &[]));
}

#[test]
fn origins_are_checked() {
    let of = |origins| {
        problems(inputs(
            "",
            &[("STREAMGATE_CORS_ALLOWED_ORIGINS", origins)],
            &[],
        ))
    };
    assert!(of("https://a.example/path")[0].contains("without a path"));
    assert!(of("a.example")[0].contains("must be origins"));
    assert!(of("https://a.example,*")[0].contains("beside other origins"));
    loaded(inputs("[cors]\nallowed_origins = [\"*\"]\n", &[], &[]));
}

#[test]
fn browsers_may_remember_a_preflight_for_two_hours_unless_told_otherwise() {
    let max_age = |file| {
        let settings = loaded(inputs(file, &[], &[])).settings;
        settings.server.cors.max_age
    };
    assert_eq!(max_age(""), Some(Duration::from_hours(2)));
    assert_eq!(
        max_age("[cors]\nmax_age_s = 5"),
        Some(Duration::from_secs(5))
    );
}

#[test]
fn the_demo_is_on_where_only_this_machine_can_reach_it_unless_it_is_written() {
    for (file, expected) in [
        ("", true),
        ("listen = \"[::1]:80\"", true),
        ("listen = \"[::ffff:127.0.0.1]:80\"", true),
        ("listen = \"0.0.0.0:80\"", false),
        ("listen = \"10.0.0.7:80\"", false),
        ("listen = \"10.0.0.7:80\"\n[pages]\ndemo = true", true),
        ("[pages]\ndemo = false", false),
    ] {
        let pages = loaded(inputs(file, &[], &[])).settings.server.pages;
        assert_eq!(pages.demo, expected, "{file}");
        assert!(pages.front && pages.console, "{file}");
    }
}

#[test]
fn dialects_are_named_once_and_the_root_is_one_of_them() {
    let compat = |file: &str| loaded(inputs(file, &[], &[])).settings.server.compat;
    let all = DialectName::ALL.to_vec();
    assert_eq!(compat("").dialects, all);
    assert_eq!(compat("").root, None);
    assert_eq!(compat("[compat]\ndialects = []").dialects, []);
    let chosen = inputs("", &[("STREAMGATE_COMPAT_ROOT", "user-streams")], &[]);
    let chosen = loaded(chosen).settings.server.compat;
    assert_eq!(chosen.root, Some(DialectName::UserStreams));

    let wrong = "[compat]\ndialects = [\"stream-log\", \"stream-log\"]\nroot = \"user-streams\"\n\
                 lease_s = 4";
    assert_eq!(
        problems(inputs(wrong, &[], &[])),
        [
            "s.toml:2: compat.dialects names \"stream-log\" twice",
            "s.toml:4: compat.lease_s must be 5 to 86400, is 4",
        ]
    );
    let wrong = "[compat]\ndialects = [\"stream-log\"]\nroot = \"user-streams\"";
    assert_eq!(
        problems(inputs(wrong, &[], &[])),
        ["s.toml:3: compat.root is not among compat.dialects"]
    );
    let wrong = "[compat]\ndialects = [\"esperanto\"]";
    assert!(problems(inputs(wrong, &[], &[]))[0].contains("is \"esperanto\""));
}

#[test]
fn a_dialect_has_the_lease_of_all_dialects_unless_it_has_its_own() {
    let file = "[compat]\nlease_s = 600\n[compat.user-streams]\nlease_s = 60";
    let variables = [("STREAMGATE_COMPAT_STREAM_LOG_LEASE_S", "30")];
    let flags = [("compat.session-tracker.lease_s", "90")];
    let compat = loaded(inputs(file, &variables, &flags))
        .settings
        .server
        .compat;
    for (dialect, lease_s) in [
        (DialectName::SessionTracker, 90),
        (DialectName::ConcurrencyService, 600),
        (DialectName::StreamLog, 30),
        (DialectName::UserStreams, 60),
        (DialectName::StreamRequests, 600),
    ] {
        assert_eq!(compat.lease_of(dialect).0, lease_s, "{dialect:?}");
    }

    let wrong = "[compat.stream-log]\nlease_s = 4\n[compat.esperanto]\nlease_s = 5";
    let problems = problems(inputs(wrong, &[], &[]));
    assert_eq!(problems.len(), 2, "{problems:?}");
    let too_short = "s.toml:2: compat.stream-log.lease_s must be 5 to 86400, is 4";
    assert_eq!(problems[0], too_short);
    assert!(problems[1].starts_with("s.toml:4: compat.esperanto.lease_s is no setting"));
}

#[test]
fn dialects_ask_for_a_key_unless_it_is_written_that_they_do_not() {
    let keys = format!(
        "[[keys]]\nname = \"k\"\nscope = \"admin\"\nsha256 = \"{}\"\n",
        "ab".repeat(32)
    );
    for (listen, said, asks) in [
        ("127.0.0.1:1", "", true),
        ("[::1]:1", "", true),
        ("0.0.0.0:1", "", true),
        ("10.0.0.1:1", "", true),
        ("0.0.0.0:1", "[compat]\nrequire_key = false", false),
        ("127.0.0.1:1", "[compat]\nrequire_key = false", false),
        ("127.0.0.1:1", "[compat]\nrequire_key = true", true),
    ] {
        let file = format!("listen = {listen:?}\n{keys}{said}");
        let settings = loaded(inputs(&file, &[], &[])).settings;
        assert_eq!(settings.server.compat.require_key, asks, "{listen} {said}");
    }
    // Keys that come later, with the server running, are asked for too.
    let open = inputs("listen = \"0.0.0.0:1\"", &[], &[]);
    assert!(loaded(open).settings.server.compat.require_key);
}

/// A value for each setting that has a deprecated name.
fn renamed_settings() -> Vec<(String, String, &'static str)> {
    let values = [
        ("policy.laziness_s", "7"),
        ("store.key_prefix", "other"),
        ("store.connect_timeout_ms", "11"),
        ("store.response_timeout_ms", "2500"),
        ("store.wait_replicas", "2"),
        ("store.wait_timeout_ms", "13"),
        ("store.allow_eviction", "true"),
        ("store.tls_ca_file", "/ca.pem"),
        ("store.tls_cert_file", "/cert.pem"),
        ("store.tls_key_file", "/key.pem"),
        ("store.sentinel_user", "watch"),
        ("store.sentinel_password", "hush"),
        ("store.region", "eu-west-1"),
        ("store.endpoint", "http://localhost:8000"),
    ];
    let names = defaults().earlier_names;
    assert_eq!(names.len(), values.len());
    let with_value = names.into_iter().map(|name| {
        let earlier = name.earlier.to_string();
        let value = values.iter().find(|(known, _)| *known == earlier);
        let (_, value) = value.unwrap_or_else(|| panic!("no value for {earlier}"));
        (earlier, name.present.to_string(), *value)
    });
    with_value.collect()
}

/// What else must be set for a setting to be valid: a user of sentinels needs a password.
fn companion(path: &str) -> &'static str {
    if path.ends_with("sentinel_password") {
        ""
    } else {
        "store.redis.sentinel_password = \"hush\"\n"
    }
}

/// A setting as a file has it.
fn line(path: &str, value: &str) -> String {
    let is_bare = value == "true" || value.parse::<u32>().is_ok();
    if is_bare {
        format!("{path} = {value}\n")
    } else {
        format!("{path} = {value:?}\n")
    }
}

#[test]
fn a_deprecated_name_works_in_file_environment_and_flag_and_is_warned_of() {
    let settings = renamed_settings();
    let all = |name: fn(&(String, String, &str)) -> String| {
        let lines = settings
            .iter()
            .map(|setting| line(&name(setting), setting.2));
        loaded(inputs(&lines.collect::<String>(), &[], &[]))
    };
    let (earlier, present) = (all(|it| it.0.clone()), all(|it| it.1.clone()));
    let of = |loaded: &Loaded| format!("{:?}", loaded.settings);
    assert_eq!(of(&earlier), of(&present));
    assert_ne!(of(&present), of(&defaults()));
    assert_eq!(present.warnings(), [""; 0]);

    for (at, (earlier_name, name, value)) in settings.iter().enumerate() {
        let warning = format!(
            "s.toml:{}: {earlier_name} is deprecated, use {name}",
            at + 1
        );
        assert!(earlier.warnings().contains(&warning), "{warning}");
        let alone = |path: &str| {
            let (variable, flag) = (KeyPath::new(path).variable(), [(path, *value)]);
            let by_variable = loaded(inputs(companion(path), &[(&variable, value)], &[]));
            (by_variable, loaded(inputs(companion(path), &[], &flag)))
        };
        let ((by_variable, by_flag), (expected, _)) = (alone(earlier_name), alone(name));
        assert_eq!(of(&by_variable), of(&expected), "{earlier_name}");
        assert_eq!(of(&by_flag), of(&expected), "{earlier_name}");
        let variable = |path: &str| KeyPath::new(path).variable();
        assert_eq!(
            by_variable.warnings(),
            [format!(
                "environment {}: {earlier_name} is deprecated, use {name} ({})",
                variable(earlier_name),
                variable(name)
            )]
        );
        assert_eq!(
            by_flag.warnings(),
            [format!("--set: {earlier_name} is deprecated, use {name}")]
        );
        assert_eq!(expected.warnings(), [""; 0]);
    }
}

#[test]
fn a_setting_with_both_of_its_names_is_an_error_that_names_both() {
    for (earlier, name, value) in renamed_settings() {
        let file = line(&earlier, value) + &line(&name, value) + companion(&name);
        let said = |place: &str, other: &str| {
            format!(
                "{place}: {earlier} is the deprecated name of {name}, which is set as well \
                 ({other}): remove one of them"
            )
        };
        assert_eq!(
            problems(inputs(&file, &[], &[])),
            [said("s.toml:1", "s.toml:2")]
        );
        let variable = |path: &str| KeyPath::new(path).variable();
        let (old, new) = (variable(&earlier), variable(&name));
        let both = [(old.as_str(), value), (new.as_str(), value)];
        let (of_old, of_new) = (format!("environment {old}"), format!("environment {new}"));
        assert_eq!(
            problems(inputs(companion(&name), &both, &[])),
            [said(&of_old, &of_new)]
        );
        // An override by the present name of what a file gives by the deprecated one is one, too.
        let file = line(&earlier, value) + companion(&name);
        assert_eq!(
            problems(inputs(&file, &both[1..], &[])),
            [said("s.toml:1", &of_new)]
        );
    }
}

#[test]
fn a_wrong_value_under_a_deprecated_name_is_reported_with_its_place() {
    let file = "[store]\nwait_replicas = 99\nkey_prefix = { a = 1 }\nredis = 5\n";
    assert_eq!(
        problems(inputs(file, &[("STREAMGATE_POLICY_LAZINESS_S", "x")], &[])),
        [
            "s.toml:2: store.redis.wait_replicas must be 0 to 16, is 99",
            "s.toml:3: store.redis.key_prefix must be text, is a table",
            "s.toml:3: store.key_prefix.a is no setting",
            "s.toml:4: store.redis is a section, not a setting: write [store.redis] above its \
             settings",
            "environment STREAMGATE_POLICY_LAZINESS_S: policy.heartbeat_write_interval_s must be a \
             whole number, is \"x\"",
        ]
    );
}

#[test]
fn keys_of_the_receivers_of_traces_and_reports_are_not_shown() {
    let file = "[traces]\nendpoint = \"http://collector:4318/v1/traces\"\n\
                headers = [\"authorization: Bearer hush\"]\n\
                [sentry]\ndsn = \"https://hush@errors.example.com/7\"";
    let loaded = loaded(inputs(file, &[], &[]));
    assert_eq!(loaded.settings.traces.headers[0].1, "Bearer hush");
    let shown = effective(&loaded);
    assert!(shown.contains("authorization: ***"), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
    let other = inputs(&file.replace("hush", "HUSH"), &[], &[]);
    let other = parse(other, Vec::new()).unwrap();
    let changed = super::changed(&loaded, &other);
    assert!(changed.contains("traces.headers") && changed.contains("sentry.dsn"));

    let wrong = "[traces]\nendpoint = \"collector:4318\"\nheaders = [\"hush\"]\n\
                 [sentry]\ndsn = \"hush\"";
    let problems = problems(inputs(wrong, &[], &[]));
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].starts_with("s.toml:2: traces.endpoint must be a URL"));
    assert!(problems[1].starts_with("s.toml:3: traces.headers must be headers"));
    assert!(problems[2].starts_with("s.toml:5: sentry.dsn is not a DSN"));
    assert!(!problems.concat().contains("hush"), "{problems:?}");
}
