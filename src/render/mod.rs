//! Handlebars templates to text. Strict: an unknown variable, or a placeholder left over, is an error. No HTML escaping:
//! every value passes a quoting helper for the language that it stands in.

mod quote;

use std::collections::{BTreeMap, BTreeSet};

use handlebars::{Handlebars, RenderErrorReason, TemplateErrorReason};
use serde::Serialize;

use crate::error::Failure;

macro_rules! template {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../templates/", $name, ".hbs")),
        )
    };
}
/// The templates that an operator may replace: name below `templates/`, without `.hbs`, and text.
const BUILT_IN: &[(&str, &str)] = &[
    template!("gateway/static/traefik.yml"),
    template!("gateway/dynamic/platform.yml"),
    template!("gateway/dynamic/tls.yml"),
    template!("gateway/dynamic/user.yml"),
    template!("gateway/dynamic/service.yml"),
    template!("gateway/dynamic/vis.yml"),
    template!("gateway/auth"),
    template!("lib.env"),
    template!("client/env.js"),
    template!("services/rabbitmq.conf"),
    template!("services/mosquitto.conf"),
    template!("services/services.env"),
    template!("services/README.md"),
];

/// Templates of files that become the operator's own when they are written: those are edited, not their templates.
const OF_THE_SPEC: &[(&str, &str)] = &[template!("dtaas.yaml"), template!("user.yaml")];

/// Why a template gave nothing: its name, the line, and the reason.
#[derive(Debug, thiserror::Error)]
#[error("template {template}: {reason}")]
pub struct RenderError {
    /// Name below `templates/`, without `.hbs`.
    pub template: String,
    /// In words.
    pub reason: String,
}

impl From<RenderError> for Failure {
    /// A fault of what the operator wrote: our own templates take every value that a spec can hold.
    fn from(error: RenderError) -> Self {
        Failure::usage(error.to_string()).hint(format!(
            "mend templates/{0}.hbs in the deployment, or remove it: then ours counts",
            error.template
        ))
    }
}

/// All templates, parsed once.
pub struct Templates {
    registry: Handlebars<'static>,
    /// Names of those that are the operator's.
    replaced: BTreeSet<String>,
}

impl Templates {
    /// The templates in the binary, with the operator's own in place of those they replace. Keys are names
    /// below `templates/` without `.hbs`; one that replaces nothing is an error that lists what can be replaced.
    pub fn new(replacements: &BTreeMap<String, String>) -> Result<Self, RenderError> {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        registry.register_escape_fn(handlebars::no_escape);
        quote::register(&mut registry);
        if let Some(unknown) = replacements
            .keys()
            .find(|name| !BUILT_IN.iter().any(|(known, _)| known == name))
        {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(RenderError {
                template: unknown.clone(),
                reason: format!("it replaces none of ours, which are: {}", names.join(", ")),
            });
        }
        for (name, text) in BUILT_IN.iter().chain(OF_THE_SPEC) {
            let text = replacements.get(*name).map_or(*text, String::as_str);
            registry
                .register_template_string(name, text)
                .map_err(|error| RenderError {
                    template: (*name).to_owned(),
                    reason: unreadable(&error),
                })?;
        }
        Ok(Self {
            registry,
            replaced: replacements.keys().cloned().collect(),
        })
    }

    /// Renders one. Everything the template names must be in `context`.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<String, RenderError> {
        let error = |reason: String| RenderError {
            template: name.to_owned(),
            reason,
        };
        let text = self
            .registry
            .render(name, context)
            .map_err(|failure| error(unrenderable(&failure)))?;
        // Values cannot hold these: the quoting helpers write braces as escapes, or refuse them.
        if let Some(index) = text
            .lines()
            .position(|line| line.contains("{{") || line.contains("}}"))
        {
            return Err(error(format!(
                "a placeholder is left over in line {} of what it gives",
                index + 1
            )));
        }
        // One broken file freezes all of Traefik's dynamic configuration. Ours are sound for every value; tests hold them to it.
        if name.ends_with(".yml") && self.replaced.contains(name) {
            serde_yaml::from_str::<serde_yaml::Mapping>(&text)
                .map_err(|reason| error(format!("what it gives is not YAML: {reason}")))?;
        }
        Ok(text)
    }
}

/// Why a text is no template. Handlebars lists its grammar there, which helps nobody.
fn unreadable(error: &handlebars::TemplateError) -> String {
    let reason = match error.reason() {
        TemplateErrorReason::InvalidSyntax(_) => {
            "a placeholder cannot be read; is every {{…}} closed, and every {{#…}} ended?"
                .to_owned()
        }
        // The others name the blocks that do not match.
        other => other.to_string(),
    };
    match error.pos() {
        Some((line, _)) => format!("line {line}: {reason}"),
        None => reason,
    }
}

fn unrenderable(error: &handlebars::RenderError) -> String {
    let reason = match error.reason() {
        RenderErrorReason::MissingVariable(Some(name)) => {
            format!("there is no variable {name:?} here")
        }
        RenderErrorReason::HelperNotFound(name) => {
            format!("there is no helper {name:?}; there are yaml, js, env and line")
        }
        // The others are rare, and speak for themselves.
        other => other.to_string(),
    };
    match error.line_no {
        Some(line) => format!("line {line}: {reason}"),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, text: &str) -> Result<Templates, RenderError> {
        Templates::new(&BTreeMap::from([(name.to_owned(), text.to_owned())]))
    }

    #[test]
    fn an_unknown_variable_is_an_error() {
        let templates = with("lib.env", "PORT={{env prot}}").unwrap();
        let error = templates
            .render("lib.env", &serde_json::json!({"port": "4001"}))
            .unwrap_err();
        assert!(error.to_string().contains("prot"), "{error}");
    }

    #[test]
    fn a_placeholder_left_over_is_an_error() {
        let templates = with("lib.env", "PORT=\\{{port}}").unwrap();
        let error = templates
            .render("lib.env", &serde_json::json!({"port": "4001"}))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "template lib.env: a placeholder is left over in line 1 of what it gives"
        );
    }

    #[test]
    fn an_operators_template_that_replaces_nothing_is_refused() {
        let error = with("gateway/traefik.yml", "").err().unwrap().to_string();
        assert!(error.starts_with("template gateway/traefik.yml: it replaces none of ours, which are: gateway/static/traefik.yml,"), "{error}");
    }

    #[test]
    fn the_operators_own_files_have_no_templates_of_theirs() {
        for name in ["dtaas.yaml", "user.yaml"] {
            let error = with(name, "").err().unwrap().to_string();
            assert!(
                error.starts_with(&format!("template {name}: it replaces none of ours")),
                "{error}"
            );
        }
    }

    #[test]
    fn an_operators_template_that_gives_broken_yaml_is_an_error() {
        let name = "gateway/dynamic/tls.yml";
        let templates = with(name, "tls: [{{line digest}}").unwrap();
        let error = templates
            .render(name, &serde_json::json!({"digest": "d"}))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("template gateway/dynamic/tls.yml: what it gives is not YAML: "),
            "{error}"
        );
    }

    #[test]
    fn a_broken_template_says_where() {
        let error = with("lib.env", "PORT=1\n{{#if x}}")
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("lib.env") && error.contains('2'), "{error}");
    }
}
