//! Lint: mistakes that a configuration holds though its parts fit together.
//!
//! [`Configuration::check`](crate::Configuration::check) refuses what contradicts itself. Lint
//! goes on from there: it looks for what is possible but hardly meant, and for what would let
//! strangers use this server. Nothing is sampled: whether there is an open relay is decided for
//! every address of a peer and every address of ours, by looking at one address of each set
//! that nothing in the configuration tells apart.

mod context;
mod domains;
mod entrance;
mod finding;
mod invalid;
mod receive;
mod relay;
mod send;
#[cfg(test)]
mod tests;

pub use context::LintContext;
pub use finding::{Finding, LintObject, LintPlace, LintRule, RelayStep, RelayWitness, Severity};

use std::cmp::Reverse;

use crate::{CheckedConfiguration, Configuration};

impl Configuration {
    /// All that is wrong or looks so: the errors of [`Self::check`], or else what
    /// [`CheckedConfiguration::lint`] finds.
    pub fn lint(self, context: &LintContext) -> Vec<Finding> {
        match self.check() {
            Ok(checked) => checked.lint(context),
            Err(errors) => errors.findings(),
        }
    }
}

impl CheckedConfiguration {
    /// All that looks wrong, the worst first.
    ///
    /// ```
    /// use transom_connector::{Configuration, LintContext, LintRule, ReceiveConnector};
    ///
    /// let everybody = vec!["0.0.0.0/0".parse()?];
    /// let configuration = Configuration::new("mx1.contoso.com".parse()?)
    ///     .with_receive_connector(ReceiveConnector::relay("0.0.0.0:25".parse()?, everybody))
    ///     .check()?;
    /// let findings = configuration.lint(&LintContext::default());
    /// assert_eq!(findings[0].rule, LintRule::OpenRelay);
    /// assert_eq!(
    ///     findings[0].to_string(),
    ///     "error[open-relay] receive connector \"Relay 0.0.0.0:25\", remote_ranges: strangers \
    ///      may send to any domain without showing who they are\n  \
    ///      what to do: take SMTP-Accept-Any-Recipient from who has shown nothing, or list only \
    ///      networks of your own; if it is meant, set danger_open_relay\n  \
    ///      shown by: 203.0.113.7 connects at 192.0.2.1:25, sends to <bob@elsewhere.example>"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lint(&self, context: &LintContext) -> Vec<Finding> {
        let mut findings = relay::open_relays(self);
        receive::check(self, context, &mut findings);
        send::check(self, context, &mut findings);
        domains::check(self, context, &mut findings);
        // The sort is stable: what is as bad stays in the order of the configuration.
        findings.sort_by_key(|finding| Reverse(finding.severity));
        findings
    }
}
