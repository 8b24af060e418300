//! What users share, as the operator sees and changes it. It is kept on the gateway's machine, where the website changes it too.

use std::path::PathBuf;

use super::{Deployment, private, runs};
use crate::auth::endpoint::now;
use crate::auth::shares::{self, Share, Wanted};
use crate::error::Failure;
use crate::platform::auth::SHARES;
use crate::secrets::Secret;
use crate::spec::model::AuthMode;
use crate::spec::names::{ShareName, UserName};

impl Deployment {
    /// Everything that is shared, by user.
    ///
    /// # Errors
    /// Where nothing can be shared, or a user's file cannot be read.
    pub fn shares(&self) -> anyhow::Result<Vec<(UserName, Share)>> {
        let directory = self.shares_directory()?;
        let mut all = Vec::new();
        for user in self.spec.users.keys() {
            let shares = shares::of(&directory, user, now())?;
            all.extend(shares.into_iter().map(|share| (user.clone(), share)));
        }
        Ok(all)
    }

    /// Shares a port of a user's workspace. Answers with the share and the whole address to give away.
    ///
    /// # Errors
    /// When there is no such user, it cannot be shared, or not be written.
    pub fn share(&self, user: &UserName, wanted: Wanted) -> anyhow::Result<(Share, String)> {
        self.require_user(user)?;
        let directory = self.made_directory()?;
        runs::begin(self.root());
        let what = format!("{user}/{}", wanted.name);
        let (share, token) =
            shares::add(&directory, user, wanted, now()).map_err(|error| match error
                .downcast::<shares::Refused>()
            {
                Ok(refused) => Failure::usage(format!("{what} is not shared: {refused}"))
                    .hint("`dtaas share list` shows what is shared")
                    .into(),
                Err(error) => error,
            })?;
        let link = self.share_link(user, &share, token.as_ref());
        Ok((share, link))
    }

    /// The whole address of something shared, with its token where that is known.
    pub fn share_link(&self, user: &UserName, share: &Share, token: Option<&Secret>) -> String {
        let page = self.page();
        format!("{}{}", page.trim_end_matches('/'), share.link(user, token))
    }

    /// Ends something that is shared.
    ///
    /// # Errors
    /// When there is nothing of that name, or the user's file cannot be written.
    pub fn unshare(&self, user: &UserName, name: &ShareName) -> anyhow::Result<()> {
        let directory = self.shares_directory()?;
        runs::begin(self.root());
        // Where there is no directory, nothing was ever shared.
        match directory.exists() && shares::remove(&directory, user, name, now())? {
            true => Ok(()),
            false => Err(Failure::usage(format!("{user}/{name} is not shared"))
                .hint("`dtaas share list` shows what is shared")
                .into()),
        }
    }

    fn shares_directory(&self) -> anyhow::Result<PathBuf> {
        if self.spec.auth == AuthMode::Basic {
            return Err(Failure::usage("nothing can be shared with auth: basic")
                .hint("write auth: session into dtaas.yaml, then `dtaas up`")
                .into());
        }
        if self.users_site().is_some_and(|site| !site.is_local()) {
            return Err(Failure::usage(
                "what is shared is kept on the gateway's machine, which is another than this one",
            )
            .hint("users share in the website, under Account")
            .into());
        }
        Ok(self.root().join(SHARES))
    }

    fn made_directory(&self) -> anyhow::Result<PathBuf> {
        let directory = self.shares_directory()?;
        self.tree.make_dir(&private(SHARES))?;
        Ok(directory)
    }
}
