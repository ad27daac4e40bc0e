//! Where each recipient of a message goes next, and why.
