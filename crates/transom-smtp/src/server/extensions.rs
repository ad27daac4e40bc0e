//! The service extensions, one switch each.

use crate::codec::ehlo::FutureReleaseOffer;

/// The service extensions. What EHLO announces is what the session enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, one an extension")]
#[non_exhaustive]
pub struct Extensions {
    /// SIZE (RFC 1870) with the largest content in octets (37,748,736, Exchange's 36 MB). `None`:
    /// not announced and no limit.
    pub size: Option<u64>,
    /// Whether SIZE is announced, and taken behind MAIL (on). Off: the limit holds all the same.
    pub size_offered: bool,
    /// PIPELINING (RFC 2920; on). Off: any octet behind a command ends the session.
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152; on).
    pub eight_bit_mime: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034; on). Off: replies carry none.
    pub enhanced_status_codes: bool,
    /// CHUNKING (RFC 3030; on).
    pub chunking: bool,
    /// SMTPUTF8 (RFC 6531; on). Offered and taken only where 8BITMIME is on.
    pub smtputf8: bool,
    /// DSN (RFC 3461; off, because it promises reports that delivery must honour).
    pub dsn: bool,
    /// STARTTLS (RFC 3207; off, because it needs a certificate). Announced before TLS only.
    pub starttls: bool,
    /// DELIVERBY (RFC 2852; none, and all below are off: each promises what delivery must honour)
    /// with the shortest time in seconds that a sender may ask for under pain of return; 0 where
    /// any will do.
    pub deliver_by: Option<u32>,
    /// FUTURERELEASE (RFC 4865; none) with how far ahead a message may be held.
    pub future_release: Option<FutureReleaseOffer>,
    /// MT-PRIORITY (RFC 6710; off).
    pub mt_priority: bool,
    /// REQUIRETLS (RFC 8689; off). Announced and taken behind TLS only.
    pub require_tls: bool,
    /// RRVS (RFC 7293; off).
    pub rrvs: bool,
    /// BINARYMIME (RFC 3030; off). Offered and taken only where CHUNKING is on. Such content may
    /// hold any octet.
    pub binary_mime: bool,
    /// LIMITS (RFC 9422; on): what [`ServerLimits`](super::ServerLimits) says of recipients and
    /// transactions is announced.
    pub limits: bool,
    /// Whether SIZE is announced with its number (on). Off: the limit holds all the same.
    pub size_told: bool,
    /// ETRN (RFC 1985; off): [`Event::Etrn`](super::Event::Etrn).
    pub etrn: bool,
    /// EXPN (RFC 5321 §3.5; off): [`Event::Expn`](super::Event::Expn).
    pub expn: bool,
    /// XCLIENT (off): the peer may say that it is another client. Switch it on only in a
    /// configuration that peers get who are trusted to tell the truth about addresses and names,
    /// by their address or by TLS; who may use it can pass for anybody.
    pub xclient: bool,
    /// XFORWARD (off): the peer may say where a message came from, for the log. The same trust is
    /// needed.
    pub xforward: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            // [RFC 5321 §4.5.3.1.7-a] 65,536 at least.
            size: Some(37_748_736),
            size_offered: true,
            pipelining: true,
            eight_bit_mime: true,
            enhanced_status_codes: true,
            chunking: true,
            smtputf8: true,
            dsn: false,
            starttls: false,
            deliver_by: None,
            future_release: None,
            mt_priority: false,
            require_tls: false,
            rrvs: false,
            binary_mime: false,
            limits: true,
            size_told: true,
            etrn: false,
            expn: false,
            xclient: false,
            xforward: false,
        }
    }
}

impl Extensions {
    /// Sets SIZE and the limit behind it.
    #[must_use]
    pub fn with_size(self, size: Option<u64>) -> Self {
        Self { size, ..self }
    }

    /// Switches whether SIZE is announced.
    #[must_use]
    pub fn with_size_offered(self, size_offered: bool) -> Self {
        Self { size_offered, ..self }
    }

    /// Switches PIPELINING.
    #[must_use]
    pub fn with_pipelining(self, pipelining: bool) -> Self {
        Self { pipelining, ..self }
    }

    /// Switches 8BITMIME.
    #[must_use]
    pub fn with_eight_bit_mime(self, eight_bit_mime: bool) -> Self {
        Self { eight_bit_mime, ..self }
    }

    /// Switches ENHANCEDSTATUSCODES.
    #[must_use]
    pub fn with_enhanced_status_codes(self, enhanced_status_codes: bool) -> Self {
        Self { enhanced_status_codes, ..self }
    }

    /// Switches CHUNKING.
    #[must_use]
    pub fn with_chunking(self, chunking: bool) -> Self {
        Self { chunking, ..self }
    }

    /// Switches SMTPUTF8.
    #[must_use]
    pub fn with_smtputf8(self, smtputf8: bool) -> Self {
        Self { smtputf8, ..self }
    }

    /// Switches DSN.
    #[must_use]
    pub fn with_dsn(self, dsn: bool) -> Self {
        Self { dsn, ..self }
    }

    /// Switches STARTTLS.
    #[must_use]
    pub fn with_starttls(self, starttls: bool) -> Self {
        Self { starttls, ..self }
    }

    /// Sets DELIVERBY and its shortest time.
    #[must_use]
    pub fn with_deliver_by(self, deliver_by: Option<u32>) -> Self {
        Self { deliver_by, ..self }
    }

    /// Sets FUTURERELEASE and its limits.
    #[must_use]
    pub fn with_future_release(self, future_release: Option<FutureReleaseOffer>) -> Self {
        Self { future_release, ..self }
    }

    /// Switches MT-PRIORITY.
    #[must_use]
    pub fn with_mt_priority(self, mt_priority: bool) -> Self {
        Self { mt_priority, ..self }
    }

    /// Switches REQUIRETLS.
    #[must_use]
    pub fn with_require_tls(self, require_tls: bool) -> Self {
        Self { require_tls, ..self }
    }

    /// Switches RRVS.
    #[must_use]
    pub fn with_rrvs(self, rrvs: bool) -> Self {
        Self { rrvs, ..self }
    }

    /// Switches BINARYMIME.
    #[must_use]
    pub fn with_binary_mime(self, binary_mime: bool) -> Self {
        Self { binary_mime, ..self }
    }

    /// Switches LIMITS.
    #[must_use]
    pub fn with_limits(self, limits: bool) -> Self {
        Self { limits, ..self }
    }

    /// Switches the number behind SIZE.
    #[must_use]
    pub fn with_size_told(self, size_told: bool) -> Self {
        Self { size_told, ..self }
    }

    /// Switches ETRN.
    #[must_use]
    pub fn with_etrn(self, etrn: bool) -> Self {
        Self { etrn, ..self }
    }

    /// Switches EXPN.
    #[must_use]
    pub fn with_expn(self, expn: bool) -> Self {
        Self { expn, ..self }
    }

    /// Switches XCLIENT. Only for peers that are trusted.
    #[must_use]
    pub fn with_xclient(self, xclient: bool) -> Self {
        Self { xclient, ..self }
    }

    /// Switches XFORWARD. Only for peers that are trusted.
    #[must_use]
    pub fn with_xforward(self, xforward: bool) -> Self {
        Self { xforward, ..self }
    }
}
