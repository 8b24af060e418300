//! Where a mount's source is, as the project has it.

use std::path::{Path, PathBuf};

use crate::platform::desired::Desired;

/// The variable that holds where users' files are.
pub const LIBRARY: &str = "DTAAS_LIBRARY";
/// The variable that holds where the services' data are.
pub const DATA: &str = "DTAAS_DATA";
/// The services' data in a deployment.
pub const DATA_FOLDER: &str = "data";

/// What a path is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// What is written with the project.
    Here,
    /// Users' files, which stay where they are.
    Library,
    /// The services' data, likewise.
    Data,
    /// The machine.
    Elsewhere,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is below.
    pub place: Place,
    /// The path below that; of one elsewhere all of it.
    pub rest: PathBuf,
}

/// Where an absolute path of the machine is.
pub fn of(desired: &Desired, path: &Path) -> Source {
    let data = desired.root.join(DATA_FOLDER);
    for (place, above) in [
        (Place::Library, &desired.library),
        (Place::Data, &data),
        (Place::Here, &desired.root),
    ] {
        if let Ok(rest) = path.strip_prefix(above) {
            return Source {
                place,
                rest: rest.to_owned(),
            };
        }
    }
    Source {
        place: Place::Elsewhere,
        rest: path.to_owned(),
    }
}

impl Source {
    /// As a mount's source is written.
    pub fn text(&self) -> String {
        let rest = escaped(&self.rest.to_string_lossy());
        let above = match self.place {
            Place::Elsewhere => return rest,
            Place::Here => ".".to_owned(),
            Place::Library => variable(LIBRARY),
            Place::Data => variable(DATA),
        };
        match rest.as_str() {
            "" => above,
            rest => format!("{above}/{rest}"),
        }
    }
}

/// A variable that must be set.
fn variable(name: &str) -> String {
    format!("${{{name}:?set it in .env}}")
}

/// Compose puts variables' values where a `$` stands
/// (<https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md>).
pub fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
