//! What happened to a message: the event schema, rows of the logs, rotation decisions.
