//! Results that somebody else wrote in our name.

use std::ops::Range;

use transom_message::HeaderSection;

use super::{AuthenticationResults, FIELD_NAME};

/// Where the fields stand that must go when a message comes in from outside, in octets of the
/// header section: those in the name of one of `own_ids`, and those of which it cannot be told
/// whose they are, since some reader might take them for ours.
///
/// They are in order and do not touch ours, which comes later.
// [RFC 8601 §5] what claims to be of this domain and is not goes.
pub fn forged_results(headers: &HeaderSection<'_>, own_ids: &[&str]) -> Vec<Range<usize>> {
    let fields = headers.fields().filter(|field| field.is(FIELD_NAME));
    let forged = fields.filter(|field| {
        let is_own =
            |id: &str| own_ids.iter().any(|own| own.trim().eq_ignore_ascii_case(id.trim()));
        match str::from_utf8(field.raw_value()).map(AuthenticationResults::parse) {
            Ok(Ok(results)) => is_own(results.authserv_id.trim_end_matches('.')),
            _ => true,
        }
    });
    forged.map(|field| field.at()..field.at().saturating_add(field.raw().len())).collect()
}
