//! What a user's file says besides the slot, changed key by key; comments and all other keys stay.

use std::path::Path;

use anyhow::Context;
use serde_yaml::{Mapping, Value};

use super::{Deployment, user_path};
use crate::spec::model::{Group, User};
use crate::spec::names::UserName;
use crate::spec::{edit, load};

/// What is to be changed; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `enabled`.
    pub enabled: Option<bool>,
    /// `groups`.
    pub groups: Option<Vec<Group>>,
    /// `image`, or `default` for that of `dtaas.yaml`.
    pub image: Option<String>,
    /// Keys of `limits`, each with a value as it is written, `none`, or `default` for what `dtaas.yaml` says.
    pub limits: Vec<(&'static str, String)>,
}

/// What stands for the value of `dtaas.yaml`.
const DEFAULT: &str = "default";

/// A user's file with other settings, checked and not written yet.
pub struct Edited {
    name: UserName,
    text: String,
    user: User,
    /// Whether it differs from what is there.
    pub differs: bool,
}

impl Settings {
    /// A user's file with these settings; `file` is how messages call it.
    pub fn apply(&self, file: &str, text: &str) -> anyhow::Result<(String, User)> {
        let mut text = text.to_owned();
        if let Some(enabled) = self.enabled {
            text = edit::set(file, &text, "enabled", &enabled.into())?;
        }
        if let Some(groups) = &self.groups {
            let groups = groups.iter().map(|group| group.as_str().into()).collect();
            text = edit::set(file, &text, "groups", &Value::Sequence(groups))?;
        }
        match self.image.as_deref() {
            None => {}
            Some(DEFAULT) => text = edit::remove(file, &text, "image")?,
            Some(image) => text = edit::set(file, &text, "image", &image.into())?,
        }
        if !self.limits.is_empty() {
            let before: Mapping = serde_yaml::from_str(&text)?;
            let mut limits = match before.get("limits") {
                Some(Value::Mapping(limits)) => limits.clone(),
                Some(_) | None => Mapping::new(),
            };
            for (key, written) in &self.limits {
                match written.as_str() {
                    DEFAULT => {
                        limits.shift_remove(*key);
                    }
                    // A word that is no YAML is a text, and refused as what it is below.
                    written => {
                        let value = serde_yaml::from_str(written);
                        limits.insert((*key).into(), value.unwrap_or_else(|_| written.into()));
                    }
                }
            }
            if before.get("limits") != Some(&Value::Mapping(limits.clone())) {
                text = edit::set(file, &text, "limits", &Value::Mapping(limits))?;
            }
        }
        let user = load::user(file, &text)
            .map_err(|problems| problems.of_values("nothing was changed; give another value"))?;
        Ok((text, user))
    }
}

impl Deployment {
    /// A user's file with other settings; nothing is written.
    pub fn edit_user(&self, name: &UserName, settings: &Settings) -> anyhow::Result<Edited> {
        self.require_user(name)?;
        let path = user_path(name);
        let bytes = self.tree.read(&path)?.unwrap_or_default();
        let before = String::from_utf8(bytes)
            .with_context(|| format!("{} is not UTF-8", shown(self, &path)))?;
        let (text, user) = settings.apply(&path.display().to_string(), &before)?;
        Ok(Edited {
            name: name.clone(),
            differs: text != before,
            text,
            user,
        })
    }

    /// Writes it: from then on it counts.
    pub fn write_edited(&mut self, edited: Edited) -> anyhow::Result<()> {
        if edited.differs {
            self.write_user(&edited.name, &edited.text)?;
        }
        self.spec.users.insert(edited.name, edited.user);
        Ok(())
    }
}

fn shown(deployment: &Deployment, path: &Path) -> String {
    deployment.root().join(path).display().to_string()
}
