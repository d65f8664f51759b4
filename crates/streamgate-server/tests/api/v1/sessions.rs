//! `GET /v1/sessions`, and the query that it has in common with `GET /v1/users`.

use serde_json::{Value, json};

use crate::support::{Service, fresh};

#[tokio::test]
async fn every_session_names_its_user() {
    let service = Service::open();
    service.start(&["b", "a"]).await;
    service.get("/v1/sessions").await.assert_json(
        200,
        &json!({"sessions": [fresh("a"), fresh("b")], "next_cursor": null}),
    );
}

#[tokio::test]
async fn pages_hold_every_session_exactly_once_also_within_a_user() {
    let service = Service::open();
    for user in ["u", "v", "w"] {
        for id in ["1", "2", "3"] {
            let path = format!("/v1/users/{user}/sessions/{id}");
            assert_eq!(service.call("PUT", &path).await.status, 201);
        }
    }
    for page_size in [1, 2, 4, 100] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/sessions?page_size={page_size}{cursor}");
            let page = service.get(&path).await.json();
            let sessions = page["sessions"].as_array().unwrap();
            assert!(sessions.len() <= page_size);
            seen.extend(sessions.iter().map(|session| {
                let part = |name: &str| session[name].as_str().unwrap().to_owned();
                part("user_id") + &part("session_id")
            }));
            let Value::String(next) = &page["next_cursor"] else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        seen.sort();
        assert_eq!(seen, ["u1", "u2", "u3", "v1", "v2", "v3", "w1", "w2", "w3"]);
    }
}

#[tokio::test]
async fn a_query_that_is_wrong_is_named_by_parameter() {
    let service = Service::open();
    for path in ["/v1/sessions", "/v1/users"] {
        for (query, fields) in [
            ("page_size=0", &["page_size"][..]),
            ("page_size=1001", &["page_size"]),
            ("page_size=", &["page_size"]),
            ("page_size=%2B5", &["page_size"]),
            ("page_size=ten", &["page_size"]),
            ("page_size=99999999999999999999999", &["page_size"]),
            ("page_size=%ff", &["page_size"]),
            ("page_size", &["page_size"]),
            ("cursor=", &["cursor"]),
            ("cursor=!", &["cursor"]),
            ("cursor=AA", &["cursor"]),
            ("cursor=BQ", &["cursor"]),
            ("limit=5", &["limit"]),
            ("page_size=5&page_size=5", &["page_size"]),
            ("cursor=!&page_size=x&%61=b", &["a", "cursor", "page_size"]),
        ] {
            let answer = service.get(&format!("{path}?{query}")).await;
            answer.assert_invalid(fields);
        }
        for query in ["", "page_size=1", "page_size=1000", "page%5Fsize=%31&"] {
            let answer = service.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        }
    }
}
