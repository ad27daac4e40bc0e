//! What a host program plugs into a mail transport: delivery agents and directories.
