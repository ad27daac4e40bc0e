//! Which extensions a receive connector offers.

/// Which extensions a receive connector offers. STARTTLS follows from
/// [`ReceiveTls`](crate::ReceiveTls), AUTH from [`Permissions`](crate::Permissions) and
/// [`ReceiveAuth`](crate::ReceiveAuth), XCLIENT from
/// [`xclient_networks`](crate::ReceiveConnector::xclient_networks).
///
/// DSN, REQUIRETLS, DELIVERBY, FUTURERELEASE, MT-PRIORITY, RRVS and BINARYMIME have no switch here
/// and are never offered: to offer one is to promise that delivery keeps to it, and it does not
/// yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one switch an extension, as Exchange has them")]
#[non_exhaustive]
pub struct ReceiveExtensions {
    /// SIZE (RFC 1870); on. Off: the limit holds all the same.
    pub size: bool,
    /// Whether SIZE tells the limit; on. Off is Exchange's `EnabledWithoutValue`.
    pub size_told: bool,
    /// PIPELINING (RFC 2920); on.
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152); on.
    pub eight_bit_mime: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034); on.
    pub enhanced_status_codes: bool,
    /// CHUNKING (RFC 3030); on.
    pub chunking: bool,
    /// SMTPUTF8 (RFC 6531); on.
    pub smtputf8: bool,
    /// LIMITS (RFC 9422) with the recipients of a transaction; on.
    pub limits: bool,
}

impl Default for ReceiveExtensions {
    fn default() -> Self {
        Self {
            size: true,
            size_told: true,
            pipelining: true,
            eight_bit_mime: true,
            enhanced_status_codes: true,
            chunking: true,
            smtputf8: true,
            limits: true,
        }
    }
}

impl ReceiveExtensions {
    /// The same with another [`Self::size`] and [`Self::size_told`].
    #[must_use]
    pub fn with_size(self, size: bool, size_told: bool) -> Self {
        Self { size, size_told, ..self }
    }

    /// The same with another [`Self::pipelining`].
    #[must_use]
    pub fn with_pipelining(self, pipelining: bool) -> Self {
        Self { pipelining, ..self }
    }

    /// The same with another [`Self::eight_bit_mime`].
    #[must_use]
    pub fn with_eight_bit_mime(self, eight_bit_mime: bool) -> Self {
        Self { eight_bit_mime, ..self }
    }

    /// The same with another [`Self::enhanced_status_codes`].
    #[must_use]
    pub fn with_enhanced_status_codes(self, enhanced_status_codes: bool) -> Self {
        Self { enhanced_status_codes, ..self }
    }

    /// The same with another [`Self::chunking`].
    #[must_use]
    pub fn with_chunking(self, chunking: bool) -> Self {
        Self { chunking, ..self }
    }

    /// The same with another [`Self::smtputf8`].
    #[must_use]
    pub fn with_smtputf8(self, smtputf8: bool) -> Self {
        Self { smtputf8, ..self }
    }

    /// The same with another [`Self::limits`].
    #[must_use]
    pub fn with_limits(self, limits: bool) -> Self {
        Self { limits, ..self }
    }
}
