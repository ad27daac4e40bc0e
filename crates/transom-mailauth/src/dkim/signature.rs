//! One field DKIM-Signature or ARC-Message-Signature.

use transom_dns::DomainName;

use super::body::Wanted;
use super::header::Canonicalization;
use super::tags::{TagList, base64_decode, colon_list, number, without_space};
use super::{DkimAlgorithm, DkimProblem, DkimResult, DkimVerdict};

/// Longest `i=` that is shown: a local part, and a domain.
const IDENTITY_OCTETS_MAX: usize = 320;

/// Whose field it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dkim,
    ArcMessage,
}

/// A well-formed signature.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) signer: Signer,
    pub(crate) body_hash: Vec<u8>,
    /// Names in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) header_form: Canonicalization,
    pub(crate) body: Wanted,
    pub(crate) expires: Option<u64>,
    /// `i=` names a subdomain of `d=`.
    pub(crate) is_subdomain: bool,
}

/// What every kind of signature has.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) algorithm: DkimAlgorithm,
    pub(crate) domain: String,
    pub(crate) selector: String,
    pub(crate) signature: Vec<u8>,
    /// Where the key is.
    pub(crate) key_name: DomainName,
}

impl Signer {
    pub(crate) fn parse(tags: &TagList<'_>) -> Result<Self, DkimProblem> {
        let algorithm = algorithm(required(tags, "a")?)?;
        let domain = name(required(tags, "d")?).ok_or(DkimProblem::BadTag { tag: "d" })?;
        let selector = name(required(tags, "s")?).ok_or(DkimProblem::BadTag { tag: "s" })?;
        let key_name = format!("{selector}._domainkey.{domain}").parse();
        let key_name = key_name.map_err(|_| DkimProblem::BadTag { tag: "s" })?;
        let signature = base64(tags, "b")?;
        Ok(Self { algorithm, domain, selector, signature, key_name })
    }
}

impl Signature {
    pub(crate) fn parse(tags: &TagList<'_>, kind: Kind) -> Result<Self, DkimProblem> {
        // [RFC 6376 §6.1.1] another version is another format. [RFC 8617 §4.1.2] ARC has none.
        if kind == Kind::Dkim && required(tags, "v")? != b"1" {
            return Err(DkimProblem::BadTag { tag: "v" });
        }
        let signer = Signer::parse(tags)?;
        if signer.algorithm == DkimAlgorithm::RsaSha1 {
            return Err(DkimProblem::Sha1);
        }
        let body_hash = base64(tags, "bh")?;
        let headers = headers(tags, kind)?;
        let (header_form, body_form) = forms(tags.get("c"), kind)?;
        let limit = tags
            .get("l")
            .map(|value| number(value, 76))
            .map(|limit| limit.ok_or(DkimProblem::BadTag { tag: "l" }));
        let is_subdomain = match tags.get("i").filter(|_| kind == Kind::Dkim) {
            Some(identity) => is_subdomain(identity, &signer.domain)?,
            None => false,
        };
        let methods = tags.get("q").map(colon_list).into_iter().flatten();
        let mut methods = methods.peekable();
        if methods.peek().is_some() && !methods.any(|method| method == b"dns/txt") {
            return Err(DkimProblem::BadTag { tag: "q" });
        }
        let body = (body_form, limit.transpose()?);
        let expires = expiry(tags)?;
        Ok(Self { signer, body_hash, headers, header_form, body, expires, is_subdomain })
    }
}

/// What can be said before a key is seen, as far as the signature can be read.
pub(crate) fn describe(tags: &TagList<'_>) -> DkimVerdict {
    let text = |tag| tags.get(tag).and_then(name).unwrap_or_default();
    let domain = text("d");
    let shown = |value: &[u8]| {
        let value = String::from_utf8(without_space(value)).ok()?;
        let fits = value.len() <= IDENTITY_OCTETS_MAX && !value.chars().any(char::is_control);
        fits.then_some(value)
    };
    let identity = tags.get("i").map(|value| shown(value).unwrap_or_default());
    let start = tags.get("b").map(without_space).unwrap_or_default();
    let start = start.into_iter().filter(u8::is_ascii_graphic).take(8).map(char::from);
    DkimVerdict {
        identity: identity.unwrap_or_else(|| format!("@{domain}")),
        algorithm: tags.get("a").and_then(|value| algorithm(value).ok()),
        selector: text("s"),
        signature: start.collect(),
        body_octets: tags.get("l").and_then(|value| number(value, 76)),
        domain,
        ..DkimVerdict::unknown()
    }
}

impl DkimVerdict {
    /// A verdict on something that cannot be read.
    pub(crate) fn unknown() -> Self {
        Self {
            result: DkimResult::Neutral,
            problem: None,
            domain: String::new(),
            selector: String::new(),
            identity: String::new(),
            algorithm: None,
            key_bits: None,
            signature: String::new(),
            body_octets: None,
            testing: false,
        }
    }

    pub(crate) fn because(self, problem: DkimProblem) -> Self {
        Self { result: problem.result(), problem: Some(problem), ..self }
    }
}

fn required<'a>(tags: &TagList<'a>, tag: &'static str) -> Result<&'a [u8], DkimProblem> {
    tags.get(tag).filter(|value| !value.is_empty()).ok_or(DkimProblem::Missing { tag })
}

fn base64(tags: &TagList<'_>, tag: &'static str) -> Result<Vec<u8>, DkimProblem> {
    let octets = base64_decode(required(tags, tag)?);
    octets.filter(|octets| !octets.is_empty()).ok_or(DkimProblem::BadTag { tag })
}

pub(crate) fn algorithm(value: &[u8]) -> Result<DkimAlgorithm, DkimProblem> {
    match value {
        b"rsa-sha256" => Ok(DkimAlgorithm::RsaSha256),
        b"ed25519-sha256" => Ok(DkimAlgorithm::Ed25519Sha256),
        b"rsa-sha1" => Ok(DkimAlgorithm::RsaSha1),
        _ => Err(DkimProblem::UnknownAlgorithm),
    }
}

/// A domain or selector in lower case.
pub(crate) fn name(value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: DomainName = text.parse().ok().filter(|_| text.chars().all(is_host))?;
    Some(name.as_str().to_owned()).filter(|name| !name.is_empty())
}

/// `h=`, the names of the fields that are signed.
fn headers(tags: &TagList<'_>, kind: Kind) -> Result<Vec<String>, DkimProblem> {
    let bad = DkimProblem::BadTag { tag: "h" };
    let value = tags.get("h").ok_or(DkimProblem::Missing { tag: "h" })?;
    let mut names = Vec::new();
    for name in colon_list(value) {
        match str::from_utf8(name) {
            // The suite for ARC has names that are empty, and takes them for none.
            Ok("") if kind == Kind::ArcMessage => {}
            Ok(name) if !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic()) => {
                names.push(name.to_ascii_lowercase());
            }
            _ => return Err(bad),
        }
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    match kind {
        // [RFC 6376 §6.1.1] From must be signed.
        Kind::Dkim if !has("from") => Err(DkimProblem::FromUnsigned),
        // [RFC 8617 §4.1.2] seals are no part of what is signed.
        Kind::ArcMessage if has("arc-seal") => Err(bad),
        _ => Ok(names),
    }
}

/// [RFC 6376 §3.5] `c=`, header and body, simple where it does not say.
fn forms(
    value: Option<&[u8]>,
    kind: Kind,
) -> Result<(Canonicalization, Canonicalization), DkimProblem> {
    let bad = DkimProblem::BadTag { tag: "c" };
    let form = |word: &[u8]| match word {
        b"simple" => Ok(Canonicalization::Simple),
        b"relaxed" => Ok(Canonicalization::Relaxed),
        _ => Err(bad.clone()),
    };
    let Some(value) = value else {
        // The suite for ARC, and with it all who seal, take a missing `c=` for relaxed.
        return Ok(match kind {
            Kind::Dkim => (Canonicalization::Simple, Canonicalization::Simple),
            Kind::ArcMessage => (Canonicalization::Relaxed, Canonicalization::Relaxed),
        });
    };
    let mut words = value.split(|octet| *octet == b'/');
    let header = form(words.next().unwrap_or_default())?;
    let body = words.next().map_or(Ok(Canonicalization::Simple), form)?;
    if words.next().is_some() { Err(bad) } else { Ok((header, body)) }
}

/// [RFC 6376 §3.5] `i=` is at `d=` or below it.
fn is_subdomain(identity: &[u8], domain: &str) -> Result<bool, DkimProblem> {
    let identity = String::from_utf8(without_space(identity)).unwrap_or_default();
    let (_, at) = identity.rsplit_once('@').ok_or(DkimProblem::BadTag { tag: "i" })?;
    let at = at.to_ascii_lowercase();
    match at.strip_suffix(domain) {
        Some("") => Ok(false),
        Some(below) if below.ends_with('.') => Ok(true),
        _ => Err(DkimProblem::ForeignIdentity),
    }
}

/// [RFC 6376 §3.5] `x=`, which lies behind `t=`.
fn expiry(tags: &TagList<'_>) -> Result<Option<u64>, DkimProblem> {
    let time = |tag| match tags.get(tag) {
        Some(value) => number(value, 12).map(Some).ok_or(DkimProblem::BadTag { tag }),
        None => Ok(None),
    };
    match (time("t")?, time("x")?) {
        (Some(made), Some(expires)) if expires <= made => Err(DkimProblem::BadTag { tag: "x" }),
        (_, expires) => Ok(expires),
    }
}
