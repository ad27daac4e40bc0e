//! Verdicts as results.

use super::{AuthenticationResults, MethodResult};
use crate::arc::ArcResult;
use crate::dkim::DkimVerdict;
use crate::dmarc::{DmarcOutcome, DmarcPolicy, DmarcResult};
use crate::spf::SpfResult;
use crate::verdicts::{Facts, Verdicts, ascii_name};

/// In whose words results are written. Both are what RFC 8601 readers take; `action` without a
/// type is Exchange's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResultsStyle {
    /// Those that are registered for RFC 8601: `policy.dmarc`.
    #[default]
    Registered,
    /// Those of Exchange: `action`, `bestguesspass`, no result for HELO.
    Exchange,
}

/// Most signatures that are written.
const SIGNATURES_MAX: usize = 20;

impl Verdicts {
    /// The verdicts as results of the server of that name.
    ///
    /// They are written into a message that is taken, so a policy `reject` that holds for it is
    /// `oreject` in the words of Exchange: overridden.
    pub fn results(&self, authserv_id: &str, style: ResultsStyle) -> AuthenticationResults {
        let mut results = self.spf_results(style);
        if self.dkim.is_empty() {
            results.push(MethodResult::new("dkim", "none").with_comment("message not signed"));
        }
        results.extend(self.dkim.iter().take(SIGNATURES_MAX).map(signature));
        results.extend(self.arc_result());
        results.push(dmarc(&self.dmarc, style));
        let reason = format!("{:03}", self.composite.reason);
        let composite = MethodResult::new("compauth", self.composite.result.as_str());
        results.push(composite.with_reason(reason));
        AuthenticationResults::new(authserv_id, results)
    }

    fn spf_results(&self, style: ResultsStyle) -> Vec<MethodResult> {
        let Facts { client, helo, mail_from, .. } = &self.facts;
        let result = |result: SpfResult| {
            let result = MethodResult::new("spf", result.as_str());
            result.with_comment(format!("sender IP is {client}"))
        };
        let of_helo = result(self.spf.helo.result).with("smtp", "helo", &shown(helo));
        if mail_from.is_empty() {
            return vec![of_helo];
        }
        let domain = shown(self.facts.sender_domain());
        let mut results = vec![result(self.spf.mail_from.result).with("smtp", "mailfrom", &domain)];
        if style == ResultsStyle::Registered {
            results.push(of_helo);
        }
        results
    }

    fn arc_result(&self) -> Option<MethodResult> {
        if self.arc.result == ArcResult::None {
            return None;
        }
        let result = MethodResult::new("arc", self.arc.result.as_str());
        let sealers = self.arc.instances.iter().map(|instance| instance.domain.as_str());
        Some(match &self.arc.problem {
            Some(problem) => result.with_comment(problem.to_string()),
            None => {
                result.with_comment(format!("sealed by {}", sealers.collect::<Vec<_>>().join(", ")))
            }
        })
    }
}

fn signature(verdict: &DkimVerdict) -> MethodResult {
    let result = MethodResult::new("dkim", verdict.result.as_str());
    let result = match &verdict.problem {
        Some(problem) => result.with_comment(problem.to_string()),
        None => result.with_comment("signature was verified"),
    };
    let algorithm = verdict.algorithm.map_or("", |algorithm| algorithm.as_str());
    // [RFC 6008 §4] header.b tells signatures of one domain apart.
    result
        .with("header", "d", &verdict.domain)
        .with("header", "s", &verdict.selector)
        .with("header", "a", algorithm)
        .with("header", "b", &verdict.signature)
}

fn dmarc(outcome: &DmarcOutcome, style: ResultsStyle) -> MethodResult {
    let author = outcome.author.as_ref().map_or("", |author| author.as_str());
    let is_guess = style == ResultsStyle::Exchange && outcome.would_pass;
    let word = if is_guess { "bestguesspass" } else { outcome.result.as_str() };
    let mut result = MethodResult::new("dmarc", word);
    if let Some(problem) = &outcome.problem {
        result = result.with_comment(problem.to_string());
    }
    match style {
        ResultsStyle::Exchange => {
            result.with("", "action", action(outcome)).with("header", "from", author)
        }
        ResultsStyle::Registered => {
            let policy = outcome.record.as_ref().map_or("", |_| outcome.requested().as_str());
            result.with("header", "from", author).with("policy", "dmarc", policy)
        }
    }
}

/// What Exchange says was done: spec 7.10.
fn action(outcome: &DmarcOutcome) -> &'static str {
    match (outcome.result, outcome.policy, outcome.requested()) {
        (DmarcResult::TempError, ..) => "temperror",
        (DmarcResult::PermError, ..) => "permerror",
        (DmarcResult::Fail, _, DmarcPolicy::Reject) => "oreject",
        // The owner is trying: what was `pct` before it was `t`.
        (DmarcResult::Fail, DmarcPolicy::Reject, _) => "pct.reject",
        (DmarcResult::Fail, DmarcPolicy::Quarantine, DmarcPolicy::None) => "pct.quarantine",
        (DmarcResult::Fail, _, DmarcPolicy::Quarantine) => "quarantine",
        _ => "none",
    }
}

/// A domain as A-labels, which every reader takes.
fn shown(domain: &str) -> String {
    ascii_name(domain).map_or_else(|| domain.to_owned(), |name| name.to_string())
}
