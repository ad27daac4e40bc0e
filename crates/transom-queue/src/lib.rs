//! Custody of mail: durable spool, scheduler, settlement.
