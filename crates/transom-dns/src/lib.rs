//! What the DNS says and how far to trust it, for mail.
