//! Scanners of `transom-message`.

use transom_message::{ContentFacts, ContentScan, HeaderSection, ScanLimits};

/// The scan of a content, in any chunking.
pub fn content_scan(octets: &[u8]) {
    let whole = scan(octets, octets.len().max(1));
    assert_eq!(whole.octets, u64::try_from(octets.len()).unwrap_or(u64::MAX));
    assert!(whole.header_octets <= whole.octets);
    for chunk in [1, 7] {
        assert_eq!(scan(octets, chunk), whole, "in chunks of {chunk}");
    }
    let text = whole.subject.unwrap_or_default();
    assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
}

fn scan(octets: &[u8], chunk: usize) -> ContentFacts {
    let mut scan = ContentScan::new(ScanLimits::default().with_header_octets_max(256));
    octets.chunks(chunk).for_each(|piece| scan.push(piece));
    scan.finish()
}

/// The header section of a content and its fields.
pub fn header_section(octets: &[u8]) {
    let section = HeaderSection::parse(octets);
    assert!(octets.starts_with(section.octets()) && octets.ends_with(section.body()));
    let mut fields = 0;
    for field in section.fields() {
        fields += field.raw().len();
        assert!(field.is(field.name()) && section.first(field.name()).is_some());
        assert!(field.raw().ends_with(field.raw_value()) || field.raw_value().is_empty());
        let _value = field.value();
    }
    assert!(fields <= section.octets().len());
}
