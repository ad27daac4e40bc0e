//! What an administrator types: filters, orders, cursors, names of queues and messages.

use transom_queue::query::{Cursor, Filter, Property, Query, Sort};
use transom_queue::view::{
    MessageIdentity, MessageProperty, QueueIdentity, QueueInfo, QueueKind, QueueProperty,
};

use crate::types::round_trip;

/// A filter, which prints in two spellings that mean the same, and what goes with it.
pub fn filter(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    spellings::<MessageProperty>(text);
    round_trip::<Cursor>(text);
    round_trip::<MessageIdentity>(text);
    let identity = round_trip::<QueueIdentity>(text);
    let queue = QueueInfo::new(QueueKind::Delivery, 7);
    if let Some(identity) = identity {
        assert!(!queue.is_meant_by(&identity, "") || identity.server().is_none());
    }
    if let Some(filter) = spellings::<QueueProperty>(text) {
        let through = filter.matches(&queue);
        let page = Query::new(1).with_filter(filter).page([queue]);
        assert_eq!(page.map(|page| page.rows.len()), Ok(usize::from(through)));
    }
}

fn spellings<P: Property>(text: &str) -> Option<Filter<P>> {
    round_trip::<Sort<P>>(text);
    let filter = round_trip::<Filter<P>>(text)?;
    let plain = filter.plain().to_string();
    assert_eq!(plain.parse().as_ref(), Ok(&filter), "{plain:?} is another filter than {text:?}");
    Some(filter)
}
