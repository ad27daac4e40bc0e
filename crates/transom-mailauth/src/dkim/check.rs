//! What the keys say of the signatures.

use super::header::HeaderFields;
use super::scan::{HEADER_OCTETS_MAX, SIGNATURES_MAX};
use super::signature::Signature;
use super::{DkimProblem, DkimResult, DkimVerdict, Keys, ScannedContent};

/// Judges every signature of `content` at a time in seconds of Unix time, in the order in which
/// they stand; what is beyond ten, or in a header section too large, has one verdict together.
/// Without any signature there is no verdict.
///
/// A signature of a part of the body (`l=`) is verified as RFC 6376 says, and is no pass where the
/// body has more octets than that: anybody may have written them.
pub fn verify(content: &ScannedContent, keys: &Keys, unix_seconds: u64) -> Vec<DkimVerdict> {
    let unknown = |problem| DkimVerdict::unknown().because(problem);
    let Some(fields) = &content.fields else {
        return vec![unknown(DkimProblem::HeaderTooLarge { limit: HEADER_OCTETS_MAX })];
    };
    let found = content.signatures.iter().map(|found| {
        let mut verdict = found.verdict.clone();
        let checked = found.signature.as_ref().map_err(Clone::clone).and_then(|signature| {
            let key = keys.get(&signature.signer.key_name);
            if let Ok(key) = key {
                verdict.key_bits = Some(key.bits);
                verdict.testing = key.testing;
            }
            check(content, fields, signature, found.index, keys, unix_seconds)
        });
        match checked {
            Ok(()) => DkimVerdict { result: DkimResult::Pass, ..verdict },
            Err(problem) => verdict.because(problem),
        }
    });
    let mut verdicts: Vec<_> = found.collect();
    if content.has_more {
        verdicts.push(unknown(DkimProblem::TooMany { limit: SIGNATURES_MAX }));
    }
    verdicts
}

/// One signature, of DKIM or of ARC: its time, its body, its key, its fields.
pub(crate) fn check(
    content: &ScannedContent,
    fields: &HeaderFields,
    signature: &Signature,
    index: usize,
    keys: &Keys,
    unix_seconds: u64,
) -> Result<(), DkimProblem> {
    if signature.expires.is_some_and(|expires| expires <= unix_seconds) {
        return Err(DkimProblem::Expired);
    }
    // [RFC 6376 §6.1.3] the hash of the body first: it needs no key.
    let body = content.hash(signature.body).ok_or(DkimProblem::BodyHash)?;
    if body.is_short || signature.body_hash != body.digest {
        return Err(DkimProblem::BodyHash);
    }
    let signer = &signature.signer;
    let key = keys.get(&signer.key_name)?;
    // [RFC 6376 §3.6.1] a key may be for its domain alone.
    if key.no_subdomains && signature.is_subdomain {
        return Err(DkimProblem::SubdomainIdentity);
    }
    let mut octets = Vec::with_capacity(1024);
    fields.write_chosen(&signature.headers, signature.header_form, &mut octets);
    fields.write_unsigned(index, signature.header_form, &mut octets);
    key.verify(signer.algorithm, &octets, &signer.signature)?;
    if body.unsigned > 0 {
        return Err(DkimProblem::PartialBody { octets: body.unsigned });
    }
    Ok(())
}
