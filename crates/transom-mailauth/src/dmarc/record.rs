//! The record at `_dmarc` (RFC 9989 §4.7, §4.8).

use std::fmt;

/// What the owner of a domain wants to be done with mail that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 9989 §4.7 has these three")]
pub enum DmarcPolicy {
    /// Nothing.
    #[default]
    None,
    /// It is suspicious.
    Quarantine,
    /// It is not to be taken.
    Reject,
}

impl DmarcPolicy {
    /// The word of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// The policy of a word; case does not count.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let all = [Self::None, Self::Quarantine, Self::Reject];
        all.into_iter().find(|policy| word.eq_ignore_ascii_case(policy.as_str()))
    }
}

impl fmt::Display for DmarcPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How near a domain must be to that of the author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 9989 §3.2.10 has these two")]
pub enum Alignment {
    /// Of one organization.
    #[default]
    Relaxed,
    /// The same.
    Strict,
}

impl Alignment {
    /// The letter of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "r",
            Self::Strict => "s",
        }
    }
}

/// Whether a domain is one below which others register theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 9989 §4.7 has these three")]
pub enum Psd {
    /// It is one.
    Yes,
    /// It is none, and the top of its organization.
    No,
    /// It does not say.
    #[default]
    Unsaid,
}

/// A policy as published, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DmarcRecord {
    /// For the domain itself; none where the record has none that can be read.
    pub policy: Option<DmarcPolicy>,
    /// For names below it that exist.
    pub subdomain_policy: Option<DmarcPolicy>,
    /// For names below it that do not.
    pub missing_policy: Option<DmarcPolicy>,
    /// How near a signature must be.
    pub dkim_alignment: Alignment,
    /// How near MAIL FROM must be.
    pub spf_alignment: Alignment,
    /// Where the organization begins.
    pub psd: Psd,
    /// Whether the owner is only trying the policy.
    pub is_test: bool,
    /// Where reports of many messages go: URIs, without the size that was once allowed behind
    /// `!`. Unchecked but for having a scheme.
    pub aggregate_reports: Vec<String>,
    /// Where reports of one message go.
    pub failure_reports: Vec<String>,
    /// When the latter are wanted.
    pub failure_options: Option<String>,
    /// Whether `p`, `sp` or `np` has a word that is no policy.
    pub is_damaged: bool,
}

impl DmarcRecord {
    /// Longest record that is read, in octets.
    pub const OCTETS_MAX: usize = 16 << 10;
    /// Most addresses for reports of one kind that are kept.
    pub const URIS_MAX: usize = 10;

    /// Reads a record; none where the text is none, so that it is ignored.
    ///
    /// ```abnf
    /// dmarc-record = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep]
    /// ```
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok().filter(|text| text.len() <= Self::OCTETS_MAX)?;
        let mut tags = text.split(';').map(|tag| {
            let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
            (trim(name), trim(value))
        });
        // [RFC 9989 §4.7] the version is the first tag, and its case counts.
        let (name, version) = tags.next()?;
        if !name.eq_ignore_ascii_case("v") || version != "DMARC1" {
            return None;
        }
        let mut record = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in tags {
            let name = name.to_ascii_lowercase();
            // What is there twice counts as it stands first; there are eleven known tags.
            if Self::TAGS.contains(&name.as_str()) && !seen.contains(&name) {
                record.take(&name, value);
                seen.push(name);
            }
        }
        Some(record)
    }

    const TAGS: [&str; 10] = ["p", "sp", "np", "adkim", "aspf", "psd", "t", "rua", "ruf", "fo"];

    // [RFC 9989 §4.8] what is not well formed is as if it were not there.
    fn take(&mut self, name: &str, value: &str) {
        let is = |word: &str| value.eq_ignore_ascii_case(word);
        let strictness = || if is("s") { Alignment::Strict } else { Alignment::Relaxed };
        match name {
            "p" => self.policy = self.policy_of(value),
            "sp" => self.subdomain_policy = self.policy_of(value),
            "np" => self.missing_policy = self.policy_of(value),
            "adkim" => self.dkim_alignment = strictness(),
            "aspf" => self.spf_alignment = strictness(),
            "psd" if is("y") => self.psd = Psd::Yes,
            "psd" if is("n") => self.psd = Psd::No,
            "t" => self.is_test = is("y"),
            "rua" => self.aggregate_reports = uris(value),
            "ruf" => self.failure_reports = uris(value),
            "fo" => self.failure_options = Some(value.to_owned()),
            _ => {}
        }
    }

    fn policy_of(&mut self, value: &str) -> Option<DmarcPolicy> {
        let policy = DmarcPolicy::parse(value);
        self.is_damaged |= policy.is_none();
        policy
    }

    // [RFC 9989 §4.10.1] a policy that cannot be read is `none` where somebody wants reports, and
    // otherwise no policy at all.
    /// Whether the record counts; where its policy is damaged, as `p=none`.
    pub(super) fn is_usable(&self) -> bool {
        let is_whole = self.policy.is_some() && !self.is_damaged;
        is_whole || !self.aggregate_reports.is_empty()
    }

    /// What holds for the domain itself.
    pub(super) fn own_policy(&self) -> DmarcPolicy {
        self.policy.filter(|_| !self.is_damaged).unwrap_or_default()
    }

    /// What holds for names below it that exist.
    pub(super) fn existing_policy(&self) -> DmarcPolicy {
        let own = self.own_policy();
        self.subdomain_policy.filter(|_| !self.is_damaged).unwrap_or(own)
    }

    /// What holds for names below it that do not.
    pub(super) fn absent_policy(&self) -> DmarcPolicy {
        let existing = self.existing_policy();
        self.missing_policy.filter(|_| !self.is_damaged).unwrap_or(existing)
    }
}

/// White space is what [RFC 9989 §4.8] calls WSP.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn uris(list: &str) -> Vec<String> {
    let uri = |uri: &str| {
        // [RFC 9989 §4.8] a size behind `!` is obsolete and ignored.
        let uri = trim(uri.split('!').next().unwrap_or_default());
        let scheme = uri.split_once(':').filter(|(scheme, rest)| {
            let is_scheme = scheme.bytes().all(|octet| octet.is_ascii_alphanumeric());
            is_scheme && !scheme.is_empty() && !rest.is_empty()
        });
        let is_text = uri.bytes().all(|octet| octet.is_ascii_graphic());
        scheme.filter(|_| is_text).map(|_| uri.to_owned())
    };
    list.split(',').filter_map(uri).take(DmarcRecord::URIS_MAX).collect()
}
