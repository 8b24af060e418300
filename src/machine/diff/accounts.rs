//! Users' accounts at services.

use crate::machine::accounts::{Due, due};
use crate::machine::diff::{DiffOptions, Scope};
use crate::machine::observed::{AccountsState, Observed};
use crate::machine::plan::Plan;
use crate::machine::step::Step;
use crate::platform::accounts::Way;
use crate::platform::desired::Desired;

pub(super) fn diff(desired: &Desired, observed: &Observed, options: &DiffOptions, plan: &mut Plan) {
    for accounts in &desired.accounts {
        let name = &accounts.container;
        let state = observed.accounts.get(name);
        let state = state.unwrap_or(&AccountsState::Silent);
        let (found, blind) = match state {
            AccountsState::Known(found) => (found.clone(), false),
            // Some users' accounts wait until it is seen to as a whole.
            AccountsState::Silent | AccountsState::Refused if options.scope != Scope::All => {
                plan.notes.push(format!(
                    "{name} does not answer, and its accounts stay as they are; `dtaas up` sees to both"
                ));
                continue;
            }
            AccountsState::Silent => (Default::default(), true),
            AccountsState::Refused => {
                if let Way::RabbitMq(_) = accounts.way {
                    restart(name, plan);
                }
                (Default::default(), true)
            }
        };
        let Due {
            make,
            change,
            remove,
        } = due(accounts, &found, |user| {
            options.scope.covers_label(Some(user))
        });
        if !(make.is_empty() && change.is_empty() && remove.is_empty()) {
            plan.steps.push(Step::SetAccounts {
                name: name.clone(),
                make,
                change,
                remove,
                blind,
            });
        }
    }
}

/// When it starts it takes the administrator over as we say.
fn restart(name: &str, plan: &mut Plan) {
    let starts = plan.steps.iter().any(|step| match step {
        Step::CreateContainer { name: other }
        | Step::RecreateContainer { name: other, .. }
        | Step::StartContainer { name: other, .. }
        | Step::RestartContainer { name: other, .. } => other == name,
        _ => false,
    });
    if !starts {
        plan.steps.push(Step::RestartContainer {
            name: name.to_owned(),
            why: "it does not know its administrator's password".to_owned(),
        });
    }
}
