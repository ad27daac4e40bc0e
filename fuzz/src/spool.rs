//! What stands in a log, behind checksums that verify.

use transom_queue::testing::replay_records;

/// Recovery of any records: none of them makes it panic, and what is read is what verifies.
pub fn spool_records(octets: &[u8]) {
    let (frames, messages) = replay_records(octets);
    assert!(messages <= frames);
}
