//! What speaks against a message.

use transom_types::{EnhancedStatusCode, Reply, ReplyCode};

use super::{Action, Check, Finding};
use crate::arc::ArcResult;
use crate::dmarc::{DmarcPolicy, DmarcResult};
use crate::spf::{SpfOutcome, SpfResult};
use crate::verdicts::{CompAuth, Facts, SpfVerdicts, Trust, Verdicts, ascii_name};

/// Most signatures that a refusal names.
const SIGNATURES_MAX: usize = 3;

/// A finding; the reply is the reason and, on lines of its own, what `more` says.
fn finding(check: Check, reason: &str, more: Option<String>) -> Finding {
    // Replies are read by people of any tongue, and by clients without SMTPUTF8.
    let fit = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let reason: String = reason.chars().take(Reply::LINE_OCTETS_MAX).map(fit).collect();
    let (code, status) = match check {
        Check::SpfTempError => (ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(7, 24)),
        Check::DmarcTempError => (ReplyCode::LOCAL_ERROR, EnhancedStatusCode::transient(7, 26)),
        check => {
            // [RFC 7372 §3] codes of their own for what authentication says; spec 9.2 for senders
            // that a client may not use.
            let detail = match check {
                Check::OwnSender | Check::OwnAuthor => 60,
                Check::SpfFail | Check::SpfSoftFail | Check::HeloFail => 23,
                Check::SpfPermError => 24,
                Check::DkimFail => 20,
                Check::ArcFail => 29,
                Check::Author => 1,
                _ => 26,
            };
            (ReplyCode::MAILBOX_UNAVAILABLE, EnhancedStatusCode::permanent(7, detail))
        }
    };
    let text = more.map_or_else(|| reason.clone(), |more| format!("{reason}\n{more}"));
    Finding { check, action: Action::None, reason, reply: Reply::new(code, status, text) }
}

/// What speaks against a sender, before the content.
pub(super) fn of_sender(facts: &Facts, spf: &SpfVerdicts, trust: &Trust) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Facts { client, mail_from, .. } = facts;
    let sender = facts.sender_domain();
    let is_own = ascii_name(sender).is_some_and(|domain| trust.is_own(&domain));
    // For our own domains our word counts, and not what SPF says of them.
    let is_known = is_own && trust.is_own_sender(*client);
    if is_own && !is_known && !mail_from.is_empty() && spf.mail_from.result != SpfResult::Pass {
        let reason = format!("Sender check failed: {client} may not send as {sender}");
        findings.push(finding(Check::OwnSender, &reason, None));
    }
    if !is_known {
        findings.extend(of_spf(facts, &spf.mail_from));
    }
    if spf.helo.result == SpfResult::Fail && !mail_from.is_empty() {
        let reason = format!("SPF check failed: {client} may not call itself {}", facts.helo);
        findings.push(finding(Check::HeloFail, &reason, None));
    }
    findings
}

fn of_spf(facts: &Facts, spf: &SpfOutcome) -> Option<Finding> {
    let (client, domain) = (facts.client, facts.sender_domain());
    let problem = || spf.problem.as_ref().map(ToString::to_string).unwrap_or_default();
    let directive = || spf.mechanism.as_deref().unwrap_or("no reason given");
    let (check, reason) = match spf.result {
        SpfResult::Fail => (
            Check::SpfFail,
            format!("SPF check failed: {client} may not send for {domain} ({})", directive()),
        ),
        SpfResult::SoftFail => (
            Check::SpfSoftFail,
            format!("SPF check: {client} should not send for {domain} ({})", directive()),
        ),
        SpfResult::PermError => {
            (Check::SpfPermError, format!("SPF check of {domain} failed: {}", problem()))
        }
        SpfResult::TempError => {
            (Check::SpfTempError, format!("SPF check of {domain} not possible now: {}", problem()))
        }
        _ => return None,
    };
    // [RFC 7208 §6.2] the words of a stranger are told as such.
    let told = spf.explanation.as_ref().map(|text| format!("{domain} explains: {text}"));
    Some(finding(check, &reason, told))
}

/// What speaks against a message, all of it being there.
pub(super) fn of_message(verdicts: &Verdicts, trust: &Trust) -> Vec<Finding> {
    let mut findings = of_sender(&verdicts.facts, &verdicts.spf, trust);
    findings.extend(own_author(verdicts, trust));
    let is_unsigned = verdicts.dkim.iter().all(|verdict| !verdict.is_pass());
    if is_unsigned && !verdicts.dkim.is_empty() {
        let told = verdicts.dkim.iter().take(SIGNATURES_MAX).map(|verdict| {
            let problem = verdict.problem.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{}: {problem}", verdict.domain)
        });
        let told = told.collect::<Vec<_>>().join("; ");
        findings.push(finding(Check::DkimFail, &format!("DKIM check failed: {told}"), None));
    }
    if verdicts.arc.result == ArcResult::Fail {
        let problem = verdicts.arc.problem.as_ref().map(ToString::to_string).unwrap_or_default();
        findings.push(finding(Check::ArcFail, &format!("ARC check failed: {problem}"), None));
    }
    // For our own domains our word counts, as for senders.
    let is_known = |author| trust.is_own(author) && trust.is_own_sender(verdicts.facts.client);
    if !verdicts.dmarc.author.as_ref().is_some_and(is_known) {
        findings.extend(of_dmarc(verdicts));
    }
    if verdicts.composite.result == CompAuth::Fail {
        let reason = verdicts.composite.reason;
        let reason = format!("Authentication check failed: reason {reason:03}");
        findings.push(finding(Check::Composite, &reason, None));
    }
    findings
}

/// From in a domain of ours, and nothing behind it.
fn own_author(verdicts: &Verdicts, trust: &Trust) -> Option<Finding> {
    let client = verdicts.facts.client;
    let author = verdicts.dmarc.author.as_ref().filter(|author| trust.is_own(author))?;
    let stands = verdicts.dmarc.result == DmarcResult::Pass || verdicts.dmarc.would_pass;
    if stands || trust.is_own_sender(client) {
        return None;
    }
    let reason = format!("From check failed: {client} may not send as {author}");
    Some(finding(Check::OwnAuthor, &reason, None))
}

fn of_dmarc(verdicts: &Verdicts) -> Option<Finding> {
    let outcome = &verdicts.dmarc;
    let problem = || outcome.problem.as_ref().map(ToString::to_string).unwrap_or_default();
    let Some(author) = &outcome.author else {
        return Some(finding(Check::Author, &format!("From check failed: {}", problem()), None));
    };
    let (check, reason) = match (outcome.result, outcome.requested()) {
        (DmarcResult::Fail, requested) => {
            let check = match requested {
                DmarcPolicy::Reject => Check::DmarcReject,
                DmarcPolicy::Quarantine => Check::DmarcQuarantine,
                DmarcPolicy::None => Check::DmarcNone,
            };
            let why = "neither SPF nor DKIM stands behind";
            (check, format!("DMARC check failed: {why} {author} (policy {requested})"))
        }
        (DmarcResult::TempError, _) => (
            Check::DmarcTempError,
            format!("DMARC check of {author} not possible now: {}", problem()),
        ),
        (DmarcResult::PermError, _) => {
            (Check::DmarcPermError, format!("DMARC check of {author} failed: {}", problem()))
        }
        _ => return None,
    };
    Some(finding(check, &reason, None))
}
