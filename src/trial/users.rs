//! Who may sign in to a trial.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;

use crate::auth::endpoint::Directories;
use crate::auth::{password, store};
use crate::error::Failure;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// A user of the trial.
#[derive(Debug, Clone)]
pub struct Member {
    /// The name.
    pub name: UserName,
    /// The password's hash.
    pub hash: Secret,
}

/// The users whose folders a directory holds, sorted.
///
/// # Errors
/// When the directory cannot be listed, or holds no user's folder.
pub fn of_directory(directory: &Path) -> anyhow::Result<Vec<UserName>> {
    let shown = directory.display();
    let unreadable = || {
        Failure::usage(format!("{shown} cannot be listed"))
            .hint("name a directory with a folder for each user, or none: then a sample is shown")
    };
    let mut users = BTreeSet::new();
    for entry in fs::read_dir(directory).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name();
        if let Some(user) = name.to_str().and_then(|name| name.parse().ok())
            && is_directory
        {
            users.insert(user);
        }
    }
    if users.is_empty() {
        let hint = match directory.join("files").is_dir() {
            true => format!("did you mean {}?", directory.join("files").display()),
            false => "name a directory with a folder for each user, such as files/ of a deployment"
                .to_owned(),
        };
        return Err(Failure::usage(format!("{shown} holds no user's folder"))
            .hint(hint)
            .into());
    }
    Ok(users.into_iter().collect())
}

/// Looks whether each of these users has a folder among those that are there.
///
/// # Errors
/// A usage failure that names those who have none.
pub fn require_folders(
    wanted: &[UserName],
    there: &[UserName],
    directory: &Path,
) -> anyhow::Result<()> {
    let without: Vec<&str> = wanted
        .iter()
        .filter(|user| !there.contains(user))
        .map(UserName::as_str)
        .collect();
    if without.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = there.iter().map(UserName::as_str).collect();
    let message = format!(
        "{} has no folder for {}",
        directory.display(),
        without.join(", ")
    );
    Err(Failure::usage(message)
        .hint(format!("it has one for {}", names.join(", ")))
        .into())
}

/// The entries of a file as Apache's `htpasswd` writes it, in its order. Lines that are empty or begin with `#` do not count.
///
/// # Errors
/// A usage failure that names every line which cannot be used, or says that the file cannot be read or holds no entry.
pub fn of_htpasswd(file: &Path) -> anyhow::Result<Vec<Member>> {
    let shown = file.display();
    let text =
        fs::read_to_string(file).with_context(|| Failure::usage(format!("cannot read {shown}")))?;
    let mut members: Vec<Member> = Vec::new();
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match entry(line) {
            Ok(member) if members.iter().any(|known| known.name == member.name) => {
                problems.push(format!(
                    "{shown}:{number}: {} stands there twice",
                    member.name
                ));
            }
            Ok(member) => members.push(member),
            Err(reason) => problems.push(format!("{shown}:{number}: {reason}")),
        }
    }
    if let [first, rest @ ..] = problems.as_slice() {
        let list: String = rest
            .iter()
            .map(|problem| format!("\n  {problem}"))
            .collect();
        return Err(Failure::usage(format!("{first}{list}"))
            .hint("make entries with: htpasswd -B FILE NAME")
            .into());
    }
    if members.is_empty() {
        return Err(Failure::usage(format!("{shown} holds no entry"))
            .hint("make one with: htpasswd -B FILE NAME")
            .into());
    }
    Ok(members)
}

fn entry(line: &str) -> Result<Member, String> {
    // What stands there is not repeated: it may be a password in cleartext.
    let (name, hash) = line
        .split_once(':')
        .ok_or("this is not of the form user:hash")?;
    let name = name
        .parse::<UserName>()
        .map_err(|error| error.to_string())?;
    match password::scheme(hash) {
        Some(_) => Ok(Member {
            name,
            hash: Secret::new(hash),
        }),
        None => Err("the hash is neither bcrypt, apr1 nor SHA, which alone are accepted".into()),
    }
}

/// Writes what the auth endpoint reads.
///
/// # Errors
/// When it cannot be written.
pub fn write(members: &[Member], directories: &Directories, sessions: &Path) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        for directory in [&directories.htpasswd, &directories.users, sessions] {
            DirBuilder::new().mode(0o700).create(directory)?;
        }
        for Member { name, hash } in members {
            let entry = store::entry_line(name, hash.expose());
            let entries = directories.htpasswd.join(name.as_str());
            write_new(&entries, entry.expose())?;
            let account = directories.users.join(format!("{name}.json"));
            write_new(&account, "{\"groups\":[]}\n")?;
        }
        Ok(())
    };
    write().with_context(|| Failure::new("cannot write the trial's users"))
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(store::MODE)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_cannot_be_used_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fine = "alice:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n\n# people\n";
        fs::write(file.path(), fine).unwrap();
        let members = of_htpasswd(file.path()).unwrap();
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].name.as_str(), "alice");

        let wrong = format!("{fine}{fine}bob\nLib:x\ncarol:hunter2\n");
        fs::write(file.path(), wrong).unwrap();
        let shown = file.path().display();
        assert_eq!(
            of_htpasswd(file.path()).unwrap_err().to_string(),
            format!(
                "{shown}:4: alice stands there twice\n  \
                 {shown}:7: this is not of the form user:hash\n  \
                 {shown}:8: \"Lib\" is not a user name: 'L' is not allowed; use a-z, 0-9, '.', '_' and '-'\n  \
                 {shown}:9: the hash is neither bcrypt, apr1 nor SHA, which alone are accepted"
            )
        );
    }
}
