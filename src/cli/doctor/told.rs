//! What was found, as text and as JSON.

use console::style;
use serde::Serialize;

use crate::doctor::{Finding, Severity};
use crate::ui;

/// So many findings of one check are told one by one; `--json` has all.
const TOLD: usize = 12;

/// What was looked at, and what was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Diagnosis {
    /// The checks that were made.
    pub(super) checks: Vec<String>,
    /// What is not as it should be, the worst first.
    pub(super) findings: Vec<Finding>,
    /// What `--fix` could not do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failed: Vec<String>,
}

impl Diagnosis {
    /// How many findings are so bad.
    pub(super) fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings.filter(|one| one.severity == severity).count()
    }
}

/// For people. `fixed` is whether `--fix` was given.
pub(super) fn text(diagnosis: &Diagnosis, fixed: bool) -> String {
    let mut lines = Vec::new();
    let mut more = Vec::new();
    for (nth, finding) in diagnosis.findings.iter().enumerate() {
        let alike =
            |other: &&Finding| (&other.check, other.severity) == (&finding.check, finding.severity);
        if diagnosis.findings[..nth].iter().filter(alike).count() < TOLD {
            lines.extend(one(finding));
        } else if !more.contains(&finding.check) {
            more.push(finding.check.clone());
        }
    }
    for check in more {
        let all = diagnosis.findings.iter().filter(|one| one.check == check);
        lines.push(format!(
            "… {} of {check} in all; `dtaas doctor --json` has every one",
            all.count()
        ));
    }
    for failed in &diagnosis.failed {
        lines.push(format!(
            "{} could not be mended: {failed}",
            style("✗").red()
        ));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(sum(diagnosis, fixed));
    lines.join("\n")
}

fn one(finding: &Finding) -> Vec<String> {
    let mark = match finding.severity {
        Severity::Error => style("✗").red(),
        Severity::Warning => style("!").yellow(),
        Severity::Note => style("·").dim(),
    };
    let message = ui::of(finding.machine.as_deref(), &finding.message);
    let mut lines = vec![format!("{mark} {}: {message}", finding.check)];
    if let Some(evidence) = &finding.evidence {
        lines.push(format!("    {}  {evidence}", style("seen").dim()));
    }
    lines.push(format!("    {}    {}", style("do").dim(), finding.remedy));
    if let Some(fix) = &finding.fix {
        lines.push(format!(
            "    {}   --fix {}",
            style("fix").dim(),
            fix.describe()
        ));
    }
    lines
}

fn sum(diagnosis: &Diagnosis, fixed: bool) -> String {
    let counted = |severity, one: &str, many: &str| match diagnosis.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let counts: Vec<String> = [
        counted(Severity::Error, "error", "errors"),
        counted(Severity::Warning, "warning", "warnings"),
        counted(Severity::Note, "note", "notes"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let checks = match diagnosis.checks.len() {
        1 => "1 check".to_owned(),
        many => format!("{many} checks"),
    };
    if counts.is_empty() {
        return format!("{checks}, and nothing is wrong.");
    }
    let fixable = diagnosis.findings.iter().filter(|one| one.fix.is_some());
    let fixable = match fixable.count() {
        count @ 1.. if !fixed => format!(" `dtaas doctor --fix` sees to {count}."),
        _ => String::new(),
    };
    format!("{checks}: {}.{fixable}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Fix;

    fn finding(check: &str, severity: Severity) -> Finding {
        Finding::new(check, severity, "port 80 is taken", "stop nginx")
    }

    #[test]
    fn a_finding_says_what_was_seen_and_what_to_do() {
        console::set_colors_enabled(false);
        let diagnosis = Diagnosis {
            checks: vec!["spec".into(), "ports".into()],
            findings: vec![
                finding("ports", Severity::Error).seen("nginx (process 7)"),
                finding("drift", Severity::Warning).fixed_by(Fix::Up),
            ],
            failed: Vec::new(),
        };
        assert_eq!(
            text(&diagnosis, false),
            "✗ ports: port 80 is taken\n    seen  nginx (process 7)\n    do    stop nginx\n\
             ! drift: port 80 is taken\n    do    stop nginx\n    fix   --fix does what `dtaas up` does\n\n\
             2 checks: 1 error, 1 warning. `dtaas doctor --fix` sees to 1."
        );
    }

    #[test]
    fn nothing_wrong_is_one_line_and_hundreds_of_a_kind_are_few() {
        console::set_colors_enabled(false);
        let mut diagnosis = Diagnosis {
            checks: vec!["spec".into()],
            ..Diagnosis::default()
        };
        assert_eq!(text(&diagnosis, false), "1 check, and nothing is wrong.");
        diagnosis.findings = vec![finding("drift", Severity::Warning); 100];
        let text = text(&diagnosis, true);
        assert_eq!(text.matches("! drift").count(), TOLD);
        assert!(text.contains("… 100 of drift in all"), "{text}");
    }
}
