//! Asks the schema whether a document is valid, and for nothing else.

use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Response, ServerError, Variables};

use super::super::schema::{LibrarySchema, builder};
use super::super::source::Source;

/// A schema that validates and does not execute.
pub struct Checker(LibrarySchema);

impl Checker {
    /// The schema over `source`, which is never asked.
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self(builder(source).extension(OnlyCheck).finish())
    }

    /// Validates a document, for one of its operations and variables or for any.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub async fn check(
        &self,
        document: &ExecutableDocument,
        asked: Option<(Option<&str>, &Variables)>,
    ) -> Result<(), Vec<ServerError>> {
        let mut request = Request::new("");
        request.set_parsed_query(document.clone());
        match asked {
            Some((name, variables)) => {
                request.operation_name = name.map(str::to_owned);
                request.variables = variables.clone();
            }
            // Several operations take a name; without variables each does.
            None => {
                let mut names = document.operations.iter().filter_map(|(name, _)| name);
                request.operation_name = names.next().map(|name| name.to_string());
            }
        }
        let errors = self.0.execute(request).await.errors;
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

struct OnlyCheck;

impl ExtensionFactory for OnlyCheck {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(OnlyCheck)
    }
}

#[async_trait]
impl Extension for OnlyCheck {
    async fn execute(
        &self,
        _: &ExtensionContext<'_>,
        _: Option<&str>,
        _: NextExecute<'_>,
    ) -> Response {
        Response::default()
    }
}
