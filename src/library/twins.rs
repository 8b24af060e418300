//! What makes a directory a digital twin with phases, by v0.2's documentation (chapter Lifecycle): `lifecycle/` holds one
//! program a phase, named after it.

/// The folder that digital twins are in.
pub const DIGITAL_TWINS: &str = "digital twins";
/// The directory of a digital twin that holds its programs.
pub const LIFECYCLE: &str = "lifecycle";

/// A phase of a digital twin's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Specifies its configuration.
    Create,
    /// Runs it.
    Execute,
    /// Looks at what it came to.
    Analyze,
    /// Keeps its state.
    Save,
    /// Changes its configuration.
    Evolve,
    /// Takes away what it left.
    Clean,
    /// Stops it.
    Terminate,
}

impl Phase {
    /// All of them, in the order of a life.
    pub const ALL: [Phase; 7] = [
        Phase::Create,
        Phase::Execute,
        Phase::Analyze,
        Phase::Save,
        Phase::Evolve,
        Phase::Clean,
        Phase::Terminate,
    ];

    /// What its program may be called. The documentation writes both `analyze` and `analyse`.
    fn stems(self) -> &'static [&'static str] {
        match self {
            Phase::Create => &["create"],
            Phase::Execute => &["execute"],
            Phase::Analyze => &["analyze", "analyse"],
            Phase::Save => &["save"],
            Phase::Evolve => &["evolve"],
            Phase::Clean => &["clean"],
            Phase::Terminate => &["terminate"],
        }
    }
}

/// The phases that these names are programs for, each with its names, the likeliest first: one without an ending, then
/// by their bytes. `execute.py` beside `execute` is what the latter calls.
pub fn programs(names: &[String]) -> Vec<(Phase, Vec<&str>)> {
    let of = |phase: Phase| {
        let mut found: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| {
                let stem = name.split_once('.').map_or(*name, |(stem, _)| stem);
                phase.stems().contains(&stem)
            })
            .collect();
        found.sort_unstable_by_key(|name| (name.contains('.'), *name));
        (phase, found)
    };
    let all = Phase::ALL.into_iter().map(of);
    all.filter(|(_, names)| !names.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_the_name_of_its_phase() {
        let names = [
            "analyse",
            "clean.bak",
            "clean.sh",
            "create.d",
            "execute",
            "execute.py",
            "make-telegraf-config.py",
            "terminated",
            ".save",
        ]
        .map(str::to_owned);
        assert_eq!(
            programs(&names),
            [
                (Phase::Create, vec!["create.d"]),
                (Phase::Execute, vec!["execute", "execute.py"]),
                (Phase::Analyze, vec!["analyse"]),
                (Phase::Clean, vec!["clean.bak", "clean.sh"]),
            ]
        );
    }
}
