//! Events that are no request, the log, and the end of an instance.

use serde_json::json;
use streamgate_testkit::call;

use super::Function;

#[test]
fn an_event_that_is_no_request_fails_and_the_next_one_is_answered() {
    let mut function = Function::start();
    let secret = "someone@example.com";
    let events = [
        json!({ "source": "aws.events", "detail": { "who": secret } }),
        json!({ "Records": [{ "eventSource": "aws:sqs", "body": secret }] }),
        json!("warm"),
        json!(null),
    ];
    for event in events {
        let error = function.api.invoke(event).unwrap_err();
        assert_eq!(error["errorType"], "Streamgate.NotHttp", "{error}");
        assert!(!error.to_string().contains(secret), "{error}");
    }
    let address = function.behind_http_api().address;
    assert_eq!(call(address, "GET", "/v1/users", None, None).status, 200);
    let line = function.instances[0].wait_for_log("an event was not answered");
    assert!(!line.contains(secret), "{line}");
}

#[test]
fn an_instance_that_is_told_to_stop_ends_at_once_and_in_order() {
    let mut function = Function::start();
    let address = function.behind_http_api().address;
    assert_eq!(call(address, "GET", "/healthz", None, None).status, 200);
    let ended = function.instances.remove(0).terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stderr.contains("told to stop"), "{ended:?}");
}

/// CloudWatch makes a metric of the line.
#[test]
fn a_refusal_is_counted_in_a_line_without_a_name_and_an_admission_writes_none() {
    let mut function = Function::start();
    let address = function.behind_http_api().address;
    for id in ["a", "b", "c", "d"] {
        let path = format!("/v1/users/a-name/sessions/{id}");
        call(address, "PUT", &path, None, None);
    }
    let line = function.instances[0].wait_for_output("_aws");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["Refusals"], &line["ServerErrors"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(line["FunctionName"], "streamgate-test");
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "Streamgate");
    assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
    for metric in directive["Metrics"].as_array().unwrap() {
        let name = metric["Name"].as_str().unwrap();
        assert!(line[name].is_u64(), "{line}");
    }
    assert!(line["_aws"]["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
    let ended = function.instances.remove(0).terminate();
    assert_eq!(ended.stdout.matches("_aws").count(), 1, "{ended:?}");
    assert!(!ended.stderr.contains("a-name"), "{ended:?}");
}
