//! The configuration of a mail transport as checked values: receive and send connectors, permissions, address spaces, accepted domains.
