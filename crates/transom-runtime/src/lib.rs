//! Sockets, TLS, DNS, clocks and log files: drives the sans-io crates of transom.
