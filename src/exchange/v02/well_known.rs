//! Passwords that v0.2 gave everybody, in its documentation and its scripts.

use crate::auth::password::{self, Verdict};
use crate::deployment::init::Carried;
use crate::spec::names::UserName;

/// What users may have kept: `foo:bar` of the documentation, and those of the services.
const OF_USERS: [&str; 5] = [
    "bar",
    "dtaas1357",
    "DTaaSGrafana",
    "incubator",
    "vncpassword",
];

/// Words of v0.2's scripts, the password in them, and the service that was given it.
pub const OF_SERVICES: [(&str, &str, &str); 3] = [
    ("dtaas1357", "dtaas1357", "InfluxDB"),
    ("DTaaSGrafana", "DTaaSGrafana", "Grafana"),
    ("incubator incubator", "incubator", "RabbitMQ"),
];

/// The desktop's password in v0.2's `env.js`.
pub const OF_DESKTOPS: &str = "vncpassword";

/// Users whose password is one of them, or their own name. Each try costs what the user's hash does, so they are made side by side.
pub fn kept_by(users: &[Carried]) -> Vec<UserName> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = users.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = users
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().filter(|user| has_one(user)).collect()))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            let found: Vec<&Carried> = match thread.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            all.extend(found.into_iter().map(|user| user.name.clone()));
        }
        all
    })
}

fn has_one(user: &Carried) -> bool {
    let Some(hash) = &user.hash else {
        return false;
    };
    let mut tries = OF_USERS.into_iter().chain([user.name.as_str()]);
    tries.any(|word| password::verify(word, hash.expose()) == Verdict::Right)
}
