//! Holds what tests are answered to the OpenAPI documents: the status of every answer, and the code
//! of every problem, must be documented for the operation that was called.
//!
//! What is *not* here: calls that are no operation of a document (pages, other spellings of the
//! paths of dialects, a dialect at the root), and the bodies of answers.

use std::sync::LazyLock;

use axum::http::{Method, Request};

use super::Answer;
use super::operations::{Operation, operations};

/// Every operation, with the segments of its path.
static OPERATIONS: LazyLock<Vec<(Vec<String>, Operation)>> = LazyLock::new(|| {
    let segments = |operation: &Operation| {
        let path = operation.mounted();
        path.split('/').map(str::to_owned).collect()
    };
    let operations = operations().into_iter();
    operations.map(|one| (segments(&one), one)).collect()
});

/// What the documents say about a call.
pub(crate) struct Call {
    operation: Option<&'static Operation>,
}

impl Call {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let path = request.uri().path();
        let method = match request.method() {
            // Every GET of our own API has it.
            &Method::HEAD if !path.starts_with("/compat/") => "GET",
            method => method.as_str(),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let here = OPERATIONS.iter().filter(|(segments, operation)| {
            let mut pairs = segments.iter().zip(&parts);
            operation.method == method
                && segments.len() == parts.len()
                && pairs.all(|(of, part)| of == part || is_variable(of) && !part.is_empty())
        });
        // A segment that is named wins over one that may be anything, as in the router.
        let variables = |segments: &[String]| segments.iter().filter(|of| is_variable(of)).count();
        let operation = here.min_by_key(|(segments, _)| variables(segments));
        Self {
            operation: operation.map(|(_, operation)| operation),
        }
    }

    /// Asserts that the document of the operation has this answer.
    #[track_caller]
    pub(crate) fn assert_documents(&self, answer: &Answer) {
        let Some(operation) = self.operation else {
            return;
        };
        let is_problem = answer.header("content-type") == Some("application/problem+json");
        let is_error = answer.status.as_u16() >= 400;
        if is_error && is_problem == operation.dialect.is_some() {
            // Another API answered: ours, where the dialect is not mounted, or a dialect at the root.
            return;
        }
        let status = answer.status.as_str();
        let documented = &operation.about["responses"][status];
        let text = String::from_utf8_lossy(&answer.body);
        assert!(
            documented.is_object(),
            "{operation}: its document has no {status}: {text}"
        );
        if is_problem && !answer.body.is_empty() {
            let problem = answer.json();
            let code = problem["code"].as_str().unwrap();
            let about = documented["description"].as_str().unwrap();
            assert!(
                about.contains(&format!("`{code}`")),
                "{operation}: its {status} does not name `{code}`: {about}"
            );
        }
    }
}

/// Whether a segment of a template may be anything.
fn is_variable(segment: &str) -> bool {
    segment.starts_with('{')
}
