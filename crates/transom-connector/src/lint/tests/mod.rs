//! Tests of lint: each rule by the smallest configuration that shows it, and one that does not.

mod open_relay;
mod rules;

use crate::{Configuration, Finding, LintContext, LintRule, Severity};

fn empty() -> Configuration {
    Configuration::new("mx1.contoso.com".parse().unwrap())
}

fn lint(configuration: Configuration) -> Vec<Finding> {
    configuration.lint(&LintContext::default())
}

fn has(findings: &[Finding], rule: LintRule) -> bool {
    findings.iter().any(|finding| finding.rule == rule)
}

fn errors(findings: &[Finding]) -> Vec<LintRule> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.rule).collect()
}
