//! Mistakes in a configuration whose parts fit together: errors keep it from being used, warnings
//! go to the log.

use transom_connector::{CheckedConfiguration, LintContext, Severity};

use crate::builder::StartError;

/// What lint cannot see in a configuration.
pub(crate) struct Host<'a> {
    pub(crate) agents: Vec<&'a str>,
    pub(crate) authenticates: bool,
    pub(crate) has_certificate: bool,
    pub(crate) has_directory: bool,
}

pub(crate) fn check(config: &CheckedConfiguration, host: Host<'_>) -> Result<(), StartError> {
    let mut context =
        LintContext::default().with_agents(host.agents).with_authentication(host.authenticates);
    if !host.has_certificate {
        context = context.with_certificate_names([""; 0]);
    }
    // A directory is asked for every domain of ours.
    let known = config.accepted_domains().iter().filter(|_| host.has_directory);
    context = context.with_directory_domains(known.map(|entry| entry.domain.clone()));
    let findings = config.lint(&context);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    for finding in warnings {
        let (rule, place) = (finding.rule, &finding.place);
        tracing::warn!(%rule, %place, advice = finding.advice, "{}", finding.problem);
    }
    if errors.is_empty() { Ok(()) } else { Err(StartError::Lint(errors)) }
}
