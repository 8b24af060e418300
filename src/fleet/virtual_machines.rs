//! Virtual machines: made and started by Vagrant before they are reached, halted or destroyed after.
use super::Tell;
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::remote::Target;
use tokio::sync::watch;
pub(super) async fn begin(
    _d: &Deployment,
    _s: &[&Site],
    _make: bool,
    _t: &dyn Tell,
    _stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    Ok(())
}
pub(super) async fn target(_d: &Deployment, _s: &Site) -> anyhow::Result<Target> {
    anyhow::bail!("x")
}
pub async fn end_virtual(
    _d: &Deployment,
    _s: &[&Site],
    _purge: bool,
    _t: &dyn Tell,
    _stop: watch::Receiver<bool>,
) -> anyhow::Result<usize> {
    Ok(0)
}
