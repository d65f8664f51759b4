//! Settings that a function cannot have: it says why, to Lambda and in the log, and ends.

use streamgate_testkit::Ran;

use super::bootstrap;
use super::runtime_api::RuntimeApi;
use crate::nodes::dynamodb::table;

/// Starts the function with these settings, and returns what it said.
fn refused(settings: &[(&str, &str)]) -> String {
    let api = RuntimeApi::start();
    let output = bootstrap(&api, 1, settings).output().unwrap();
    let said = Ran::from(output).failed(2);
    let errors = api.init_errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["errorType"], "Streamgate.NotStarted");
    let reported = errors[0]["errorMessage"].as_str().unwrap();
    assert!(said.contains(reported), "{said}\n{reported}");
    said
}

const ANONYMOUS: (&str, &str) = ("STREAMGATE_ALLOW_ANONYMOUS", "true");

#[test]
fn a_store_that_an_instance_cannot_keep_is_refused() {
    for url in ["embedded", "redis://127.0.0.1:6379"] {
        let said = refused(&[ANONYMOUS, ("STREAMGATE_STORE_URL", url)]);
        assert!(said.contains("store.url must be a table"), "{said}");
        assert!(said.contains("STREAMGATE_STORE_URL=dynamodb://"), "{said}");
    }
}

#[test]
fn failing_open_is_refused() {
    let said = refused(&[ANONYMOUS, ("STREAMGATE_ENGINE_FAIL_MODE", "open")]);
    assert!(said.contains("engine.fail_mode must be closed"), "{said}");
}

#[test]
fn no_keys_are_refused_although_nothing_listens() {
    let said = refused(&[]);
    assert!(said.contains("API keys are needed"), "{said}");
    assert!(said.contains("STREAMGATE_KEYS"), "{said}");
}

#[test]
fn a_wrong_setting_is_named() {
    let said = refused(&[ANONYMOUS, ("STREAMGATE_POLICY_LEASE_S", "soon")]);
    assert!(said.contains("STREAMGATE_POLICY_LEASE_S"), "{said}");
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let emulator = table();
    let api = RuntimeApi::start();
    let settings = [ANONYMOUS, ("STREAMGATE_STORE_URL", "dynamodb://nothing")];
    let output = bootstrap(&api, emulator.port, &settings).output().unwrap();
    let said = Ran::from(output).failed(74);
    assert!(
        said.contains("nothing") && said.contains("create-table"),
        "{said}"
    );
    assert_eq!(api.init_errors().len(), 1);
}

/// Other commands of the program are the same on Lambda.
#[test]
fn a_command_is_no_function() {
    let api = RuntimeApi::start();
    let mut command = bootstrap(&api, 1, &[ANONYMOUS]);
    let said = Ran::from(command.args(["config", "check"]).output().unwrap()).ok();
    assert!(!said.is_empty());
}
