//! Answers questions. Those of v0.2's fields are answered directly, by a plan that is kept with the text of the question;
//! all others, and whatever is wrong, by async-graphql. Both give the same answer.

mod check;
mod direct;
mod kind;
mod known;
mod plan;
#[cfg(test)]
mod same;
mod settle;

use std::sync::Arc;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Request, ServerError, ValidationMode, Value, Variables};

use super::allowance::Allowance;
use super::path::Viewer;
use super::question::{self, VALIDATION_FAILED};
use super::schema::{self, LibrarySchema, Unmerged, builder};
use super::source::Source;

use self::check::Checker;
use self::direct::{Asking, Direct};
use self::known::{Checked, Known};
use self::plan::{Obstacle, plan};
use self::settle::Types;

/// The library, ready to be asked.
pub struct Answers {
    source: Arc<dyn Source>,
    /// Executes what the checker has found valid.
    schema: LibrarySchema,
    checker: Checker,
    types: Types,
    known: Known,
    /// Whether plans are used: without them async-graphql answers everything, which must come to the same.
    plans: bool,
}

/// A question as it was sent.
pub struct Asked {
    /// GraphQL.
    pub text: String,
    /// The name of the operation, where one is given.
    pub operation: Option<String>,
    /// Its variables.
    pub variables: Variables,
    /// Whether it may change anything.
    pub may_change: MayChange,
}

/// Whether a question may change anything, by the way in which it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayChange {
    /// It may.
    Yes,
    /// It stands in an address, which is followed by whoever comes upon it.
    NotInAnAddress,
    /// A browser says that a page of another origin sent it.
    NotFromElsewhere,
}

/// What a question is answered with.
pub struct Answer {
    /// The fields at the top, for the log; `None` when it was not understood.
    pub summary: Option<String>,
    /// What it is.
    pub told: Told,
}

/// The answer itself.
pub enum Told {
    /// JSON, and the first of the errors in it.
    Json(Vec<u8>, Option<ServerError>),
    /// Nothing but what is wrong with the question. Each has a code.
    Wrong(Vec<ServerError>),
    /// That it would change something, and stands in an address.
    WantsPost,
    /// That it would change something, and comes from a page of another origin.
    FromElsewhere,
}

impl Answers {
    /// Answers from `source`.
    pub fn new(source: Arc<dyn Source>) -> Self {
        let schema = builder(source.clone())
            .validation_mode(ValidationMode::Fast)
            .finish();
        Self {
            checker: Checker::new(source.clone()),
            types: Types::read(&schema.sdl()),
            schema,
            source,
            known: Known::default(),
            plans: true,
        }
    }

    /// Answers a question.
    pub async fn answer(
        &self,
        viewer: &Viewer,
        allowance: &Arc<Allowance>,
        asked: Asked,
    ) -> Answer {
        let Asked {
            text,
            operation: name,
            mut variables,
            may_change,
        } = asked;
        let name = name.as_deref();
        let checked = match self.checked(&text, name, &variables).await {
            Ok(checked) => checked,
            Err(answer) => return answer,
        };
        let chosen = match question::choose(&checked.document, name) {
            Ok(chosen) => &chosen.node,
            Err(error) => return Answer::not_understood(error),
        };
        if let Err(error) = question::check_variables(chosen, &variables) {
            return Answer::not_understood(error);
        }
        if chosen.ty == OperationType::Mutation {
            let refused = match may_change {
                MayChange::Yes => None,
                MayChange::NotInAnAddress => Some(Told::WantsPost),
                MayChange::NotFromElsewhere => Some(Told::FromElsewhere),
            };
            if let Some(told) = refused {
                let summary = Some(question::summary(chosen));
                return Answer { summary, told };
            }
        }
        question::fill_in(chosen, &mut variables);
        let ready = checked.ready(name);
        let summary = ready.map(|ready| ready.summary.clone());

        let asking = Asking {
            viewer,
            source: self.source.as_ref(),
            allowance,
            variables: &variables,
        };
        let planned = ready.filter(|_| self.plans).map(|ready| &ready.plan);
        let direct = match planned {
            Some(Ok(plan)) => asking.answer(plan).await,
            Some(Err(Obstacle::Varies)) => {
                match plan(&checked.document, chosen, Some(&variables)) {
                    Ok(plan) => asking.answer(&plan).await,
                    Err(Obstacle::Varies | Obstacle::Foreign) => Direct::Unfit,
                }
            }
            Some(Err(Obstacle::Foreign)) | None => Direct::Unfit,
        };
        let told = match direct {
            Direct::Data(json) => Told::Json(json, None),
            Direct::Refused(error) => Told::of(async_graphql::Response::from_errors(vec![error])),
            Direct::Unfit => {
                let question = (name, &checked.document, chosen);
                self.by_schema(viewer, allowance, question, variables).await
            }
        };
        Answer { summary, told }
    }

    /// The document of a text: a known one, or one that is parsed and validated now.
    async fn checked(
        &self,
        text: &str,
        name: Option<&str>,
        variables: &Variables,
    ) -> Result<Arc<Checked>, Answer> {
        if let Some(checked) = self.known.get(text) {
            return Ok(checked);
        }
        let document = question::parse(text).map_err(Answer::not_understood)?;
        let chosen = question::choose(&document, name).map_err(Answer::not_understood)?;
        question::check_variables(&chosen.node, variables).map_err(Answer::not_understood)?;
        if self.checker.check(&document, None).await.is_err() {
            let summary = Some(question::summary(&chosen.node));
            let asked = Some((name, variables));
            let wrong = self.checker.check(&document, asked).await;
            let told = Told::Wrong(coded(wrong.err().unwrap_or_default()));
            return Err(Answer { summary, told });
        }
        let checked = Arc::new(Checked::new(document));
        self.known.keep(text, &checked);
        Ok(checked)
    }

    /// Has async-graphql answer.
    async fn by_schema(
        &self,
        viewer: &Viewer,
        allowance: &Arc<Allowance>,
        (name, document, chosen): (Option<&str>, &ExecutableDocument, &OperationDefinition),
        variables: Variables,
    ) -> Told {
        if !are_plain(chosen, &variables) {
            let asked = Some((name, &variables));
            if let Err(wrong) = self.checker.check(document, asked).await {
                return Told::Wrong(coded(wrong));
            }
        }
        let mut request = Request::new("")
            .variables(variables)
            .data(viewer.clone())
            .data(Arc::clone(allowance))
            .data(Unmerged(schema::is_unmerged(document)));
        request.operation_name = name.map(str::to_owned);
        request.set_parsed_query(document.clone());
        let mut answer = self.schema.execute(request).await;
        self.types.settle(&mut answer, document, chosen);
        if answer.errors.iter().all(has_code) {
            Told::of(answer)
        } else {
            // What the library refuses has a code; what is left is about the question itself.
            Told::Wrong(coded(answer.errors))
        }
    }
}

impl Answer {
    fn not_understood(error: ServerError) -> Self {
        Self {
            summary: None,
            told: Told::Wrong(vec![error]),
        }
    }
}

impl Told {
    fn of(answer: async_graphql::Response) -> Self {
        let first = answer.errors.first().cloned();
        match schema::json(answer) {
            Ok(json) => Self::Json(json, first),
            Err(error) => Self::Wrong(vec![question::error(
                "INTERNAL_SERVER_ERROR",
                format!("the answer cannot be written as JSON: {error}"),
                None,
            )]),
        }
    }
}

/// Whether the variables are such that a valid question stays valid with them: texts and truths of the types that were
/// declared, which [`question::check_variables`] has looked at, and no nulls.
fn are_plain(operation: &OperationDefinition, variables: &Variables) -> bool {
    operation.variable_definitions.iter().all(|definition| {
        let definition = &definition.node;
        match (
            &definition.var_type.node.base,
            variables.get(&definition.name.node),
        ) {
            (_, None) => true,
            (_, Some(Value::Null)) => false,
            (BaseType::Named(base), Some(_)) => base == "String" || base == "Boolean",
            (BaseType::List(_), Some(_)) => false,
        }
    })
}

fn has_code(error: &ServerError) -> bool {
    let extensions = error.extensions.as_ref();
    extensions.is_some_and(|extensions| extensions.get("code").is_some())
}

/// The errors of the validation, with the code that they lack.
fn coded(mut errors: Vec<ServerError>) -> Vec<ServerError> {
    for error in errors.iter_mut().filter(|error| !has_code(error)) {
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", VALIDATION_FAILED);
    }
    errors
}
