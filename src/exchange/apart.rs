//! Two directories that must not lie in one another.

use std::path::{Path, PathBuf};

/// The first of some directories that lies in another one, or has it in it.
pub fn overlapping<'a>(one: &Path, others: &[&'a Path]) -> Option<&'a Path> {
    let one = real(one);
    others.iter().copied().find(|other| {
        let other = real(other);
        one.starts_with(&other) || other.starts_with(&one)
    })
}

/// Where a directory is, or will be: of what does not exist yet the part that does is looked up.
pub fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = path
        .ancestors()
        .find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
    match found {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            Ok(_) | Err(_) => real,
        },
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_ways_back_lead_where_they_lead() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        std::fs::create_dir_all(at("d/files")).unwrap();
        std::fs::create_dir(at("e")).unwrap();
        std::os::unix::fs::symlink(at("d"), at("link")).unwrap();
        let deployment = at("d");
        for (path, lies) in [
            ("d", true),
            ("d/new/one", true),
            ("link/new", true),
            ("e/../d/new", true),
            ("dd", false),
            ("e/new", false),
        ] {
            let found = overlapping(&at(path), &[&deployment]);
            assert_eq!(found, lies.then_some(deployment.as_path()), "{path}");
        }
    }
}
