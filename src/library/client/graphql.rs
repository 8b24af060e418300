//! Questions in GraphQL.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::connection::{Connection, refused};
use super::problem::Problem;

/// How much of an answer is taken: twice what our own server brings together by default.
const MOST: usize = 128 << 20;

impl Connection {
    /// Asks a question; gives what stands under `data`.
    ///
    /// # Errors
    ///
    /// The library's refusal, or why there was no answer.
    pub async fn ask(&self, query: &str, variables: Value) -> Result<Value, Problem> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self
            .request(Method::POST, self.endpoint().questions())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let mut answer = match self.send(request).await {
            Ok(answer) => answer,
            // Without a code it is nobody's library who says so.
            Err(Problem::Refused(no))
                if no.code.is_none() && no.status == StatusCode::NOT_FOUND =>
            {
                return Err(self.no_library("nothing answers questions there"));
            }
            Err(problem) => return Err(problem),
        };
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(&mut answer).await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MOST {
                return Err(self.no_library("its answer has no end"));
            }
        }
        let mut json: Value = serde_json::from_slice(&bytes)
            .map_err(|_| self.no_library("what it answers is not JSON"))?;
        if let Some(no) = refused(status, &json) {
            return Err(Problem::Refused(no));
        }
        match json.get_mut("data") {
            Some(data) => Ok(data.take()),
            None => Err(self.no_library("its answer holds no data")),
        }
    }

    pub(super) fn no_library(&self, why: &str) -> Problem {
        Problem::NoLibrary {
            endpoint: self.endpoint().to_string(),
            why: why.to_owned(),
        }
    }
}
