//! A website of the operator's choice: fetched once, checked before anything is done with it, and kept by its digest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use reqwest::Url;
use sha2::{Digest, Sha256};

use super::Deployment;
use crate::error::{Failure, failure_of};
use crate::platform::desired::{Directory, hex};
use crate::platform::website::{BUILDS, build_file};
use crate::spec::model::WebsiteBuild;
use crate::spec::read::website::may_be_fetched;
use crate::website::build::Build;

/// The largest that is taken, in bytes.
const LARGEST: usize = 200 * 1024 * 1024;

/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How often a server may send elsewhere.
const REDIRECTS: usize = 5;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

impl Deployment {
    /// Makes sure that the website that the spec names is here. Answers whether it was fetched now.
    ///
    /// # Errors
    /// When it cannot be had, is another than the spec says, or cannot be served; nothing is changed then.
    pub async fn fetch_website(&self) -> anyhow::Result<bool> {
        let Some(wanted) = &self.spec.website else {
            return Ok(false);
        };
        if self.users_site().is_some_and(|site| !site.is_local()) {
            return Err(Failure::usage(
                "website.source: the website is served on another machine, and a build can be brought to this one alone",
            )
            .hint("leave website out: then the website is ours")
            .into());
        }
        let path = build_file(wanted);
        if self.has_website(wanted)? {
            return Ok(false);
        }
        let bytes = self.bytes_of(wanted).await?;
        let found = hex(&Sha256::digest(&bytes));
        if found != wanted.sha256 {
            return Err(Failure::new(format!(
                "{} has the SHA-256 {found}, not {}",
                wanted.source, wanted.sha256
            ))
            .hint("is it the right file? If it is, write its sum as website.sha256; nothing was changed")
            .into());
        }
        Build::read(&bytes).map_err(|unfit| {
            Failure::new(format!("{} cannot be served: {unfit}", wanted.source)).hint(
                "name a zip of a website that was built, with its index.html; nothing was changed",
            )
        })?;
        // The website's server is nobody in particular.
        for directory in ["data", BUILDS] {
            self.tree.make_dir(&Directory::plain(directory))?;
        }
        self.tree.write(&path, 0o644, &bytes)?;
        Ok(true)
    }

    /// Takes away the websites that nobody serves any more: once another one runs, and not before.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn forget_websites(&self) -> anyhow::Result<()> {
        let wanted = self.spec.website.as_ref().map(build_file);
        for (name, _) in self.tree.list(Path::new(BUILDS))? {
            let old = Path::new(BUILDS).join(name);
            if Some(&old) != wanted.as_ref() {
                self.tree.remove(&old)?;
            }
        }
        Ok(())
    }

    fn has_website(&self, wanted: &WebsiteBuild) -> anyhow::Result<bool> {
        let there = self.tree.read(&build_file(wanted))?;
        Ok(there.is_some_and(|there| hex(&Sha256::digest(&there)) == wanted.sha256))
    }

    /// Tells whoever only looks that it will be fetched.
    pub fn note_website(&self) -> anyhow::Result<()> {
        if let Some(wanted) = &self.spec.website
            && !self.has_website(wanted)?
        {
            let source = &wanted.source;
            self.note(format!("`dtaas up` will fetch the website from {source}"));
        }
        Ok(())
    }

    async fn bytes_of(&self, wanted: &WebsiteBuild) -> anyhow::Result<Vec<u8>> {
        let source = &wanted.source;
        match source.contains("://") {
            true => fetched(source)
                .await
                .map_err(|error| match failure_of(&error) {
                    Some(_) => error,
                    None => error.context(
                        Failure::new(format!("{source} cannot be fetched"))
                            .hint("does the address open with curl -LO here? Nothing was changed; a file in the deployment does as well"),
                    ),
                }),
            false => {
                let path: PathBuf = self.root().join(source);
                let size = std::fs::metadata(&path).map(|found| found.len());
                let cannot = || {
                    Failure::new(format!("{} cannot be read", path.display()))
                        .hint("put the zip there, or write another path as website.source; nothing was changed")
                };
                if size.with_context(cannot)? > LARGEST as u64 {
                    return Err(too_large(source).into());
                }
                std::fs::read(&path).with_context(cannot)
            }
        }
    }
}

fn too_large(source: &str) -> Failure {
    Failure::new(format!(
        "{source} is larger than {} MB",
        LARGEST / 1024 / 1024
    ))
    .hint("a website that was built is a few MB: leave its source maps out")
}

async fn fetched(source: &str) -> anyhow::Result<Vec<u8>> {
    let url = Url::parse(source)?;
    let follow = reqwest::redirect::Policy::custom(|attempt| {
        if attempt.previous().len() > REDIRECTS {
            attempt.error("it leads on and on")
        } else if may_be_fetched(attempt.url()) {
            attempt.follow()
        } else {
            attempt.error("it leads elsewhere, and not by https")
        }
    });
    // Refused when there is one already: it is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(follow)
        .connect_timeout(SILENCE)
        .read_timeout(SILENCE)
        .timeout(LONGEST)
        .build()?;
    let answer = client.get(url).send().await?.error_for_status()?;
    if answer
        .content_length()
        .is_some_and(|size| size > LARGEST as u64)
    {
        return Err(too_large(source).into());
    }
    let mut bytes = Vec::new();
    let mut body = answer.bytes_stream();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > LARGEST {
            return Err(too_large(source).into());
        }
    }
    Ok(bytes)
}
