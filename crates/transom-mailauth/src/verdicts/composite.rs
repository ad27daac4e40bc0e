//! What all verdicts come to, in the words of Exchange: `compauth` and its reason.

use std::fmt;
use std::net::IpAddr;

use super::{Facts, Forwarder, SpfVerdicts, Trust, ascii_name, is_within};
use crate::arc::ArcVerdict;
use crate::dmarc::{DmarcOutcome, DmarcPolicy, DmarcResult};
use crate::results::AuthenticationResults;
use crate::spf::SpfResult;

/// Whether the author is who From says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "Exchange has these four words")]
pub enum CompAuth {
    /// It was not checked.
    None,
    /// It is.
    Pass,
    /// It seems so.
    SoftPass,
    /// It is not, or nothing says it is.
    Fail,
}

impl CompAuth {
    /// The word of Authentication-Results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::SoftPass => "softpass",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for CompAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The composite result.
///
/// | reason | result | when |
/// |---|---|---|
/// | 000 | fail | DMARC failed, its policy is quarantine or reject |
/// | 001 | fail | DMARC failed with `p=none`, or there is no policy and nothing stands in |
/// | 010 | fail | DMARC failed for a domain of our own |
/// | 100, 101, 102 | pass | DMARC passed by SPF and DKIM, by DKIM, by SPF |
/// | 109 | pass | there is no policy, and the message would have passed one |
/// | 130 | pass | a trusted sealer had found that DMARC passed |
/// | 201 | softpass | there is no policy, and SPF vouches for a HELO within the author's domain |
/// | 300 | none | the DNS did not answer |
/// | 400 | none | the client is a trusted forwarder, or may send for us |
/// | 601 | fail | a domain of our own, without a policy, and nothing stands in |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Composite {
    /// The result.
    pub result: CompAuth,
    /// Why, as a number of three digits.
    pub reason: u16,
}

/// Whose word stands in.
pub(super) fn forwarder(
    client: IpAddr,
    arc: &ArcVerdict,
    dmarc: &DmarcOutcome,
    trust: &Trust,
) -> Option<Forwarder> {
    if trust.is_forwarder(client) {
        return Some(Forwarder::Network(client));
    }
    let author = dmarc.author.as_ref()?;
    if !arc.is_pass() {
        return None;
    }
    // The last sealer first: whom nobody trusted vouches for says nothing of those before it.
    let is_trusted = |domain: &str| trust.sealers.iter().any(|sealer| sealer.as_str() == domain);
    let mut trusted = arc.instances.iter().rev().take_while(|one| is_trusted(&one.domain));
    let found = trusted.find(|instance| {
        let Ok(results) = AuthenticationResults::parse(&instance.results) else { return false };
        results.results.iter().any(|result| {
            let from = result.property("header", "from").and_then(ascii_name);
            result.is("dmarc", "pass") && from.as_ref().is_none_or(|from| from == author)
        })
    });
    found.map(|instance| Forwarder::Sealer(instance.domain.clone()))
}

pub(super) fn composite(
    facts: &Facts,
    spf: &SpfVerdicts,
    dmarc: &DmarcOutcome,
    forwarder: Option<&Forwarder>,
    trust: &Trust,
) -> Composite {
    let (result, reason) = match (dmarc.result, forwarder) {
        (DmarcResult::Pass, _) if dmarc.dkim_aligned.is_empty() => (CompAuth::Pass, 102),
        (DmarcResult::Pass, _) if !dmarc.spf_aligned => (CompAuth::Pass, 101),
        (DmarcResult::Pass, _) => (CompAuth::Pass, 100),
        (_, Some(Forwarder::Network(_))) => (CompAuth::None, 400),
        (_, Some(Forwarder::Sealer(_))) => (CompAuth::Pass, 130),
        (DmarcResult::TempError, None) => (CompAuth::None, 300),
        (DmarcResult::None, None) if dmarc.would_pass => (CompAuth::Pass, 109),
        (result, None) => {
            let is_own = dmarc.author.as_ref().is_some_and(|author| trust.is_own(author));
            match result {
                _ if is_own && trust.is_own_sender(facts.client) => (CompAuth::None, 400),
                DmarcResult::Fail if is_own => (CompAuth::Fail, 10),
                DmarcResult::Fail if dmarc.policy != DmarcPolicy::None => (CompAuth::Fail, 0),
                _ if is_own => (CompAuth::Fail, 601),
                DmarcResult::None if is_named_by_author(facts, spf, dmarc) => {
                    (CompAuth::SoftPass, 201)
                }
                _ => (CompAuth::Fail, 1),
            }
        }
    };
    Composite { result, reason }
}

/// Whether SPF vouches for a name in HELO that is within the author's domain.
fn is_named_by_author(facts: &Facts, spf: &SpfVerdicts, dmarc: &DmarcOutcome) -> bool {
    let (Some(author), Some(helo)) = (&dmarc.author, ascii_name(&facts.helo)) else {
        return false;
    };
    spf.helo.result == SpfResult::Pass && is_within(&helo, author)
}
