//! Images.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Result;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{
    CreateImageOptions, CreateImageOptionsBuilder, ListImagesOptions, RemoveImageOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{Engine, TO_ACT, failed, if_there, status};
use crate::error::Failure;
use crate::machine::observed::{ImageState, Owner};
use crate::platform::desired::label;

impl Engine {
    /// One image.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageState>> {
        let found = self
            .ask(
                &format!("looking at image {reference}"),
                if_there(self.docker.inspect_image(reference)),
            )
            .await?;
        Ok(found.map(|image| ImageState {
            id: image.id.unwrap_or_default(),
            owner: maker(image.config.and_then(|config| config.labels)),
        }))
    }

    /// The images that carry a deployment's label, by reference (by id where they have none).
    pub async fn images_of(&self, deployment: &str) -> Result<BTreeMap<String, ImageState>> {
        let wanted = format!("{}={deployment}", label::IMAGE_OF);
        let options = ListImagesOptions {
            filters: Some(HashMap::from([("label".to_owned(), vec![wanted])])),
            ..Default::default()
        };
        let found = self
            .ask("listing images", self.docker.list_images(Some(options)))
            .await?;
        let mut images = BTreeMap::new();
        for image in found {
            let state = ImageState {
                id: image.id.clone(),
                owner: maker(Some(image.labels)),
            };
            let names: Vec<String> = image
                .repo_tags
                .into_iter()
                .filter(|tag| tag != "<none>:<none>")
                .collect();
            if names.is_empty() {
                images.insert(image.id, state);
            } else {
                images.extend(names.into_iter().map(|name| (name, state.clone())));
            }
        }
        Ok(images)
    }

    /// Pulls an image. `progress` is told of bytes done and bytes in all, as far as known yet.
    pub async fn pull(&self, reference: &str, progress: impl Fn(u64, u64)) -> Result<()> {
        // Without a tag the engine would pull every tag there is.
        let named = if has_tag(reference) {
            reference.to_owned()
        } else {
            format!("{reference}:latest")
        };
        let options = CreateImageOptionsBuilder::default()
            .from_image(&named)
            .build();
        let mut stream = std::pin::pin!(self.docker.create_image(Some(options), None, None));
        let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
        while let Some(message) = next(&mut stream, self.to_pull)
            .await
            .map_err(|error| not_pulled(reference, error, self.to_pull))?
        {
            let Some((id, part)) = downloaded(&message) else {
                continue;
            };
            layers.insert(id.to_owned(), part);
            let (done, total) = layers
                .values()
                .fold((0, 0), |(done, total), (d, t)| (done + d, total + t));
            progress(done, total);
        }
        Ok(())
    }

    /// Makes an image of a tar archive's files.
    pub async fn import(
        &self,
        reference: &str,
        archive: Bytes,
        changes: Vec<String>,
    ) -> Result<()> {
        let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        let options: CreateImageOptions = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(changes)
            .build();
        let doing = format!("making image {reference}");
        let body = bollard::body_full(archive);
        let mut stream = std::pin::pin!(self.docker.create_image(Some(options), Some(body), None));
        while next(&mut stream, TO_ACT)
            .await
            .map_err(|error| failed(&doing, error))?
            .is_some()
        {}
        Ok(())
    }

    /// Removes an image's reference, and the image with its last one. One that a container still uses stays.
    pub async fn remove_image(&self, reference: &str) -> Result<()> {
        let options = None::<RemoveImageOptions>;
        let removed = async {
            match if_there(self.docker.remove_image(reference, options, None)).await {
                Err(error) if status(&error) == Some(409) => Ok(None),
                other => other,
            }
        };
        self.act(&format!("removing image {reference}"), removed)
            .await?;
        Ok(())
    }
}

fn maker(labels: Option<HashMap<String, String>>) -> Owner {
    let mut labels = labels.unwrap_or_default();
    Owner {
        deployment: labels.remove(label::IMAGE_OF),
        instance: labels.remove(label::INSTANCE),
    }
}

async fn next(
    stream: &mut (impl Stream<Item = Result<CreateImageInfo, bollard::errors::Error>> + Unpin),
    limit: Duration,
) -> Result<Option<CreateImageInfo>, bollard::errors::Error> {
    match tokio::time::timeout(limit, stream.next()).await {
        Ok(message) => message.transpose(),
        Err(_) => Err(bollard::errors::Error::RequestTimeoutError),
    }
}

/// Bytes done and in all of one layer, out of a message about it.
fn downloaded(message: &CreateImageInfo) -> Option<(&str, (u64, u64))> {
    if message.status.as_deref() != Some("Downloading") {
        return None;
    }
    let detail = message.progress_detail.as_ref()?;
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    let done = count(detail.current)?;
    Some((
        message.id.as_deref()?,
        (done, count(detail.total).unwrap_or(done)),
    ))
}

/// Whether a reference has a tag or a digest; a colon before the last slash is a port's.
fn has_tag(reference: &str) -> bool {
    reference.contains('@')
        || reference
            .rsplit('/')
            .next()
            .is_some_and(|last| last.contains(':'))
}

/// The registry that a reference names, as the engine understands it.
fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        Some(_) | None => "docker.io",
    }
}

fn not_pulled(reference: &str, error: bollard::errors::Error, to_pull: Duration) -> anyhow::Error {
    let registry = registry(reference);
    let stalled = matches!(error, bollard::errors::Error::RequestTimeoutError);
    let reason = match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message,
        bollard::errors::Error::DockerStreamError { error } => error,
        bollard::errors::Error::RequestTimeoutError => {
            format!("nothing came for {} s", to_pull.as_secs())
        }
        other => return failed(&format!("pulling image {reference}"), other),
    };
    let reason = reason.trim();
    let hint = remedy(reference, registry, reason, stalled);
    Failure::new(format!(
        "image {reference} cannot be pulled from {registry}: {reason}"
    ))
    .hint(hint)
    .into()
}

/// What to do when an image did not come.
fn remedy(reference: &str, registry: &str, reason: &str, stalled: bool) -> String {
    if stalled {
        format!(
            "see whether this machine reaches {registry}: docker pull {reference}; a slow one gets longer with \
             dtaas up --pull-timeout SECONDS"
        )
    } else if reason.contains("manifest unknown") || reason.contains("not found") {
        "there is no such image: mend its name or tag in dtaas.yaml".to_owned()
    } else if ["denied", "unauthorized", "no basic auth credentials"]
        .iter()
        .any(|words| reason.contains(words))
    {
        format!(
            "mend its name in dtaas.yaml; or fetch it once by hand with: docker login {registry} && docker pull {reference}"
        )
    } else if reason.contains("toomanyrequests") {
        format!(
            "{registry} lets nobody pull that often: wait, or fetch it once by hand with: docker login {registry} && docker pull {reference}"
        )
    } else if reason.contains("no space left") {
        "make room on the disk (docker system df)".to_owned()
    } else if reason.contains("x509") || reason.contains("HTTP response to HTTPS client") {
        format!(
            "have the engine trust {registry} (its CA in /etc/docker/certs.d/{registry}/ca.crt), then see: docker pull {reference}"
        )
    } else {
        format!("see whether this machine reaches {registry}: docker pull {reference}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_depends_on_the_engines_reason() {
        for (reason, begins) in [
            ("manifest unknown", "there is no such image"),
            (
                "no basic auth credentials",
                "mend its name in dtaas.yaml; or fetch it once by hand with: docker login lab",
            ),
            (
                "pull access denied for a",
                "mend its name in dtaas.yaml; or",
            ),
            (
                "write /var/lib/docker/tmp: no space left on device",
                "make room on the disk",
            ),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "have the engine trust lab",
            ),
            (
                "dial tcp 127.0.0.1:1: connect: connection refused",
                "see whether this machine reaches lab",
            ),
        ] {
            let hint = remedy("lab/a:1", "lab", reason, false);
            assert!(hint.starts_with(begins), "{reason}: {hint}");
        }
    }

    #[test]
    fn a_reference_is_read_as_the_engine_reads_it() {
        for (reference, from, tag) in [
            ("traefik:v3.1", "docker.io", true),
            ("mltooling/ml-workspace", "docker.io", false),
            ("127.0.0.1:5000/traefik", "127.0.0.1:5000", false),
            ("localhost/traefik:v3", "localhost", true),
            ("ghcr.io/a/b@sha256:00", "ghcr.io", true),
        ] {
            assert_eq!((registry(reference), has_tag(reference)), (from, tag));
        }
    }
}
