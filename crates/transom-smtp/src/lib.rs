//! SMTP as values and as sans-io machines: codec, server session, client session.
