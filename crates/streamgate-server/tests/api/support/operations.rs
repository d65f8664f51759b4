//! Every operation of every OpenAPI document, as a request that is valid: for tests that no new
//! operation may escape.
//!
//! What is *not* here: what an operation should answer.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Map, Value, json};
use streamgate_server::{DialectName, OpenApiVersion, openapi_json};

use super::request;

/// An operation of a document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// The dialect whose document has it; `None` for our own.
    pub(crate) dialect: Option<DialectName>,
    /// Its method, in upper case.
    pub(crate) method: String,
    /// Its path in the document, without the path that the dialect is mounted at.
    pub(crate) template: String,
    /// What the document says about it.
    pub(crate) about: Value,
    /// The schemas that it refers to.
    schemas: Value,
}

/// Whom a request is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) user: &'a str,
    pub(crate) session: &'a str,
}

/// Every operation of every document.
pub(crate) fn operations() -> Vec<Operation> {
    let dialects = DialectName::ALL.into_iter().map(Some);
    [None]
        .into_iter()
        .chain(dialects)
        .flat_map(of_document)
        .collect()
}

fn of_document(dialect: Option<DialectName>) -> Vec<Operation> {
    let document: Value =
        serde_json::from_str(&openapi_json(dialect, OpenApiVersion::V3_1)).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, about) in item.as_object().unwrap() {
            found.push(Operation {
                dialect,
                method: method.to_uppercase(),
                template: path.clone(),
                about: about.clone(),
                schemas: document["components"]["schemas"].clone(),
            });
        }
    }
    found
}

impl Operation {
    /// The least scope that may call it; `None` where it says that it asks for nothing.
    ///
    /// # Panics
    /// If it says neither.
    pub(crate) fn scope(&self) -> Option<&str> {
        let scope = self.about["x-streamgate-scope"].as_str();
        let asks_for_nothing = self.about["security"] == json!([{}]);
        assert!(
            scope.is_some() != asks_for_nothing,
            "{self}: its `#[utoipa::path]` states `x-streamgate-scope`, or `security(())`"
        );
        scope
    }

    /// The path of its template on a server.
    pub(crate) fn mounted(&self) -> String {
        match self.dialect {
            Some(name) => format!("/compat/{}{}", name.as_str(), self.template),
            None => self.template.clone(),
        }
    }

    /// Whether it has a parameter of this name.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        let parameters = self.about["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|one| one["name"] == name))
    }

    /// Whether it answers with an event stream, which may have no end.
    pub(crate) fn is_event_stream(&self) -> bool {
        self.about["responses"]["200"]["content"]["text/event-stream"].is_object()
    }

    /// A request for it about this user and session, with a body where it needs one.
    pub(crate) fn request(&self, names: Names<'_>) -> Request<Body> {
        let mut path = self.mounted();
        let mut query = Vec::new();
        for parameter in self.about["parameters"].as_array().unwrap_or(&Vec::new()) {
            let name = parameter["name"].as_str().unwrap();
            let value = names.of(name).unwrap_or("any");
            match parameter["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), value),
                "query" if parameter["required"] == true => query.push(format!("{name}={value}")),
                _ => {}
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let Some(body) = self.body(names) else {
            return request(&self.method, &path, Body::empty());
        };
        let mut request = request(&self.method, &path, Body::from(body.to_string()));
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        request
    }

    /// The least body that it takes; `None` if it can do without.
    fn body(&self, names: Names<'_>) -> Option<Value> {
        let body = &self.about["requestBody"];
        let schema = &body["content"]["application/json"]["schema"];
        (body["required"] == true).then(|| self.sample(schema, names))
    }

    /// The least value that matches a schema and names whom it is about.
    fn sample(&self, schema: &Value, names: Names<'_>) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            return self.sample(&self.schemas[name], names);
        }
        if let Some(first) = schema["oneOf"].get(0).or_else(|| schema["allOf"].get(0)) {
            return self.sample(first, names);
        }
        match schema["type"].as_str() {
            Some("object") => {
                let members = schema["properties"].as_object();
                let required = schema["required"].as_array();
                let is_required = |name| required.is_some_and(|all| all.contains(&json!(name)));
                let mut object = Map::new();
                for (name, schema) in members.unwrap_or(&Map::new()) {
                    if let Some(text) = names.of(name) {
                        object.insert(name.clone(), json!(text));
                    } else if is_required(name) {
                        object.insert(name.clone(), self.sample(schema, names));
                    }
                }
                Value::Object(object)
            }
            Some("array") => json!([self.sample(&schema["items"], names)]),
            Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1)),
            Some("boolean") => json!(false),
            _ => json!("any"),
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dialect = self.dialect.map_or("v1", DialectName::as_str);
        write!(to, "{dialect}: {} {}", self.method, self.template)
    }
}

impl<'a> Names<'a> {
    /// What a parameter or member of this name says, in any of the documents.
    fn of(&self, name: &str) -> Option<&'a str> {
        match name {
            "user_id" | "userId" | "id" => Some(self.user),
            "session_id" | "sessionId" | "streamId" | "stream" => Some(self.session),
            _ => None,
        }
    }
}
