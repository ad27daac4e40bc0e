//! Parsers of `transom-connector`.

use transom_connector::{AddressSpace, RemoteRange, SmartHost};

use crate::types::round_trip;

/// What stands in the configuration of a connector.
pub fn connector(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    round_trip::<AddressSpace>(text);
    round_trip::<SmartHost>(text);
    if let Some(range) = round_trip::<RemoteRange>(text) {
        assert!(range.contains(range.first()) && range.contains(range.last()));
        assert!(range.covers(&range) && range.overlaps(&range));
    }
}
