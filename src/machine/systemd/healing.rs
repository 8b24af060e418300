//! A timer of systemd that has the machine look after its workspaces by itself (systemd.timer(5)).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{UNITS, quoted, runs, systemctl};
use crate::machine::files::Tree;
use crate::machine::observed::Boot;
use crate::platform::desired::{Desired, Healing};

/// Where systemd links the timers that it starts by itself.
const WANTS: &str = "timers.target.wants";

fn name(desired: &Desired) -> String {
    format!("dtaas-{}-healing", desired.deployment)
}

/// How things stand.
pub fn observe(desired: &Desired) -> Boot {
    if !runs() {
        return Boot::NoSystemd;
    }
    let read = |ending: &str| {
        fs::read_to_string(Path::new(UNITS).join(format!("{}.{ending}", name(desired)))).ok()
    };
    let (service, timer) = (read("service"), read("timer"));
    if service.is_none() && timer.is_none() {
        return Boot::Missing;
    }
    let enabled = Path::new(UNITS)
        .join(WANTS)
        .join(format!("{}.timer", name(desired)));
    let as_wanted = desired.healing.as_ref().is_some_and(|healing| {
        units(desired, healing).is_ok_and(|(wanted_service, wanted_timer)| {
            service.as_ref() == Some(&wanted_service) && timer.as_ref() == Some(&wanted_timer)
        })
    });
    match as_wanted && fs::symlink_metadata(enabled).is_ok() {
        true => Boot::Installed,
        false => Boot::Differs,
    }
}

/// Writes both units, and starts the timer. Does nothing where systemd does not run.
pub async fn install(desired: &Desired, healing: &Healing) -> Result<()> {
    if !runs() {
        return Ok(());
    }
    let (service, timer) = units(desired, healing)?;
    let units = Tree::open(Path::new(UNITS))?;
    for (ending, text) in [("service", service), ("timer", timer)] {
        let file = format!("{}.{ending}", name(desired));
        units.write(Path::new(&file), 0o644, text.as_bytes())?;
    }
    systemctl(&["daemon-reload"]).await?;
    let timer = format!("{}.timer", name(desired));
    systemctl(&["enable", &timer]).await?;
    systemctl(&["restart", &timer]).await
}

/// Stops the timer, and takes both units away.
pub async fn remove(desired: &Desired) -> Result<()> {
    let places = ["timer", "service"]
        .map(|ending| Path::new(UNITS).join(format!("{}.{ending}", name(desired))));
    if places.iter().all(|place| !place.exists()) {
        return Ok(());
    }
    if runs() {
        let unit = |ending: &str| format!("{}.{ending}", name(desired));
        if places[0].exists() {
            systemctl(&["disable", "--now", &unit("timer")]).await?;
        }
        // One that is under way would start what is about to be stopped.
        if places[1].exists() {
            systemctl(&["stop", &unit("service")]).await?;
        }
    }
    for place in places {
        match fs::remove_file(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", place.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    match runs() {
        true => systemctl(&["daemon-reload"]).await,
        false => Ok(()),
    }
}

/// The service and its timer.
fn units(desired: &Desired, healing: &Healing) -> Result<(String, String)> {
    let program = std::env::current_exe().context("cannot find this program")?;
    Ok((
        service(desired, healing, &program),
        format!(
            "[Unit]\nDescription=When the workspaces of {} are looked after\n\n\
             [Timer]\nOnActiveSec={every}\nOnUnitInactiveSec={every}\n\n\
             [Install]\nWantedBy=timers.target\n",
            desired.deployment,
            every = healing.every
        ),
    ))
}

fn service(desired: &Desired, healing: &Healing, program: &Path) -> String {
    let mut words = vec![
        "heal".to_owned(),
        format!("--deployment={}", desired.deployment),
        format!("--at-most-every={}", healing.at_most_every),
    ];
    words.extend(
        healing
            .restart_every
            .map(|every| format!("--restart-every={every}")),
    );
    words.extend(
        healing
            .gateway
            .map(|(port, _)| format!("--gateway-port={port}")),
    );
    words.extend(
        healing
            .gateway
            .and_then(|(_, address)| address)
            .map(|address| format!("--gateway-address={address}")),
    );
    let command = |path: &Path| quoted(path).replace('$', "$$");
    format!(
        "[Unit]\nDescription=Looks after the workspaces of {}\nAfter=docker.service\n\
         ConditionPathExists={}\n\n\
         [Service]\nType=oneshot\nExecStart={} -C {} {}\n",
        desired.deployment,
        desired.root.to_string_lossy().replace('%', "%%"),
        command(program),
        command(&desired.root),
        words.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_says_all_that_it_has_to_know() {
        let mut desired = Desired::nothing("foo.com".parse().unwrap(), "/srv/100% foo".into());
        let healing = Healing {
            every: 300,
            at_most_every: 3600,
            restart_every: Some(259_200),
            gateway: Some((443, Some("10.0.0.7".parse().unwrap()))),
        };
        desired.healing = Some(healing.clone());
        assert_eq!(
            service(&desired, &healing, Path::new("/usr/local/bin/dtaas")),
            "[Unit]\nDescription=Looks after the workspaces of foo.com\nAfter=docker.service\n\
             ConditionPathExists=/srv/100%% foo\n\n\
             [Service]\nType=oneshot\n\
             ExecStart=\"/usr/local/bin/dtaas\" -C \"/srv/100%% foo\" heal --deployment=foo.com --at-most-every=3600 \
             --restart-every=259200 --gateway-port=443 --gateway-address=10.0.0.7\n"
        );
    }
}
