//! `backup`: where backups are kept.

use super::Section;
use crate::spec::backup::Repository;
use crate::spec::model::Limit;

const FORM: &str = "write an absolute directory, sftp:user@host:/path, or none";

/// Reads it; what is wrong is noted.
pub fn backup(mut section: Section<'_>) -> Option<Repository> {
    let written: Option<Limit<Repository>> = section.get("repository", FORM);
    require_absolute(&section, written.as_ref());
    section.finish();
    match written? {
        Limit::None => None,
        Limit::Most(repository) => Some(repository),
    }
}

/// Whoever reads the file cannot know what another path would be relative to.
fn require_absolute(section: &Section<'_>, written: Option<&Limit<Repository>>) {
    if let Some(Limit::Most(Repository::Directory(path))) = written
        && path.is_relative()
    {
        section.problem("repository", "this is no absolute path", FORM);
    }
}
