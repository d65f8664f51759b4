//! Region and credentials as the environment has them: `REGION` of an earlier system, and AWS's
//! own. Each case is a process of its own, because a test cannot change its environment.

use std::process::Command;
use std::sync::{Arc, Mutex};

use streamgate_store::versioned::VersionedStore;
use streamgate_store_dynamodb::{DynamoDbConfig, DynamoDbStore, region_from_env};
use streamgate_testkit::proxy::http::{Act, Proxy, Request};

use crate::support::{REGION, TABLE, server_with_table};

/// What the case expects: `ready`, or a part of an error.
const EXPECTED: &str = "STREAMGATE_TEST_EXPECTED";

/// What no message may repeat.
const SECRET: &str = "do-not-tell";

#[test]
fn credentials_are_not_in_what_is_printed_for_debugging() {
    let config = DynamoDbConfig {
        credentials: Some(crate::support::credentials()),
        ..DynamoDbConfig::new(TABLE)
    };
    let printed = format!("{config:?}");
    assert!(
        printed.contains(TABLE) && !printed.contains(SECRET),
        "{printed}"
    );
}

/// What a case does in its own process; nothing where it was not started by one of the tests below.
#[tokio::test]
async fn a_case_in_its_own_process() {
    let Ok(expected) = std::env::var(EXPECTED) else {
        return;
    };
    let config = DynamoDbConfig {
        region: region_from_env(),
        ..DynamoDbConfig::new(TABLE)
    };
    let answer = match DynamoDbStore::connect(&config).await {
        Ok(store) => store.check_ready().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let answer = answer.err().unwrap_or_else(|| "ready".to_owned());
    assert!(
        answer.contains(&expected),
        "not `{expected}`, but: {answer}"
    );
    assert!(!answer.contains(SECRET), "{answer}");
}

/// Runs the case in a process with exactly these variables.
async fn run_case(expected: &str, variables: &[(&str, &str)]) {
    let mut case = Command::new(std::env::current_exe().unwrap());
    case.args([
        "--exact",
        "table::environment::a_case_in_its_own_process",
        "--nocapture",
    ])
    .env_clear()
    // Nothing of this machine's own: no profile, and no instance to ask.
    .env("AWS_CONFIG_FILE", "/nonexistent")
    .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    .env("AWS_EC2_METADATA_DISABLED", "true")
    .env(EXPECTED, expected)
    .envs(variables.iter().copied());
    let ended = tokio::task::spawn_blocking(move || case.output().unwrap());
    let ended = ended.await.unwrap();
    let output = [ended.stdout, ended.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(ended.status.success(), "{output}");
    assert!(
        output.contains("1 passed"),
        "the case was not found: {output}"
    );
}

/// A proxy that remembers who asked and for which region, as each request is signed.
async fn signed_by(url: &str) -> (Proxy, Arc<Mutex<Vec<String>>>) {
    let scopes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&scopes);
    let proxy = Proxy::before(url, move |request: &Request| {
        let (_, scope) = request.head.split_once("Credential=").unwrap();
        let parts: Vec<&str> = scope.split(['/', ',']).collect();
        seen.lock()
            .unwrap()
            .push(format!("{} {}", parts[0], parts[2]));
        Act::Pass
    });
    (proxy.await, scopes)
}

fn all_are(scopes: &Mutex<Vec<String>>, expected: &str) {
    let scopes = std::mem::take(&mut *scopes.lock().unwrap());
    assert!(
        !scopes.is_empty() && scopes.iter().all(|scope| scope == expected),
        "{scopes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_says_region_endpoint_and_credentials() {
    let server = server_with_table().await;
    let (proxy, scopes) = signed_by(&server.url()).await;
    let keys = [
        ("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()),
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let [endpoint, id, secret] = keys;
    run_case(
        "ready",
        &[
            endpoint,
            id,
            secret,
            ("AWS_REGION", "eu-north-1"),
            ("REGION", ""),
        ],
    )
    .await;
    all_are(&scopes, "AKIDENV eu-north-1");
    // The predecessors' variable is about this program, and AWS's about all of them.
    let both = [("AWS_REGION", "eu-north-1"), ("REGION", REGION)];
    run_case("ready", &[endpoint, id, secret, both[0], both[1]]).await;
    all_are(&scopes, "AKIDENV eu-west-1");
    run_case("no AWS region is named", &keys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_says_region_endpoint_and_credentials() {
    let server = server_with_table().await;
    let (proxy, scopes) = signed_by(&server.url()).await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let url = proxy.url();
    let config = file(
        "config",
        format!("[profile video]\nregion = eu-south-1\nendpoint_url = {url}\n"),
    );
    let credentials = file(
        "credentials",
        format!("[video]\naws_access_key_id = AKIDFILE\naws_secret_access_key = {SECRET}\n"),
    );
    let files = [
        ("AWS_CONFIG_FILE", &*config),
        ("AWS_SHARED_CREDENTIALS_FILE", &*credentials),
        ("AWS_PROFILE", "video"),
    ];
    run_case("ready", &files).await;
    all_are(&scopes, "AKIDFILE eu-south-1");
}

/// What both kinds of role answer with.
fn role(id: &str) -> String {
    format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2026-01-01T00:00:00Z",
            "AccessKeyId":"{id}","SecretAccessKey":"{SECRET}","Token":"{SECRET}",
            "Expiration":"2099-01-01T00:00:00Z"}}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_of_a_container_says_credentials() {
    let server = server_with_table().await;
    let (proxy, scopes) = signed_by(&server.url()).await;
    let agent = Proxy::alone(|request| {
        assert_eq!(request.operation, "GET /task");
        Act::Answer(200, role("AKIDTASK"))
    })
    .await;
    let uri = format!("{}/task", agent.url());
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*uri),
        ("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()),
        ("REGION", REGION),
    ];
    run_case("ready", &variables).await;
    all_are(&scopes, "AKIDTASK eu-west-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_of_an_instance_says_region_and_credentials() {
    let server = server_with_table().await;
    let (proxy, scopes) = signed_by(&server.url()).await;
    let metadata = Proxy::alone(|request| {
        let (_, path) = request.operation.split_once(' ').unwrap();
        match path {
            "/latest/api/token" => Act::Answer(200, "token".to_owned()),
            "/latest/meta-data/placement/region" => Act::Answer(200, "eu-central-1".to_owned()),
            "/latest/meta-data/iam/security-credentials/" => Act::Answer(200, "video".to_owned()),
            "/latest/meta-data/iam/security-credentials/video" => {
                Act::Answer(200, role("AKIDINSTANCE"))
            }
            _ => Act::Answer(404, String::new()),
        }
    })
    .await;
    let variables = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url()),
        ("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()),
    ];
    run_case("ready", &variables).await;
    all_are(&scopes, "AKIDINSTANCE eu-central-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_it_is_unavailable_and_says_so() {
    let endpoint = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9");
    run_case("redentials", &[endpoint, ("REGION", REGION)]).await;
}
