//! What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1), as a typed set.
//!
//! The client session reads the set, the server session prints it. What an extension *does* is
//! in the sessions.

use std::fmt::Write as _;

use transom_types::{Reply, ReplyCode};

/// The extensions that a server offers. Keywords that are not known here stay in
/// [`other`](Self::other), so that news never fail a session.
///
/// ```
/// use transom_smtp::codec::ehlo::{Capabilities, SizeLimit};
/// use transom_types::{Reply, ReplyCode};
///
/// let reply = Reply::bare(ReplyCode::OK, "mx.example\nSIZE 1000\nPIPELINING\nXNEWS at ten");
/// let offered = Capabilities::from_reply(&reply);
/// assert_eq!(offered.size, Some(SizeLimit::Octets(1000)));
/// assert!(offered.pipelining && !offered.starttls);
/// assert_eq!(offered.other, ["XNEWS at ten"]);
/// assert_eq!(offered.to_reply("mx.example"), reply);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an extension, offered or not")]
pub struct Capabilities {
    /// `SIZE` (RFC 1870); none when not offered.
    pub size: Option<SizeLimit>,
    /// `PIPELINING` (RFC 2920).
    pub pipelining: bool,
    /// `DSN` (RFC 3461).
    pub dsn: bool,
    /// `ENHANCEDSTATUSCODES` (RFC 2034).
    pub enhanced_status_codes: bool,
    /// `STARTTLS` (RFC 3207).
    pub starttls: bool,
    /// `8BITMIME` (RFC 6152).
    pub eight_bit_mime: bool,
    /// `CHUNKING` (RFC 3030).
    pub chunking: bool,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `LIMITS RCPTMAX=` (RFC 9422): most recipients in a transaction.
    pub recipients_max: Option<u32>,
    /// `LIMITS MAILMAX=` (RFC 9422): most transactions in a session.
    pub transactions_max: Option<u32>,
    /// `AUTH` (RFC 4954): the SASL mechanisms, in the order and case they came in.
    pub auth: Vec<String>,
    /// Lines with keywords that are not known here, as they came.
    pub other: Vec<String>,
}

/// What stands behind `SIZE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 1870 §3 has a number, or none")]
pub enum SizeLimit {
    /// No number, or 0: messages may declare their size, and no limit is told.
    NotTold,
    /// The largest message that the server takes.
    Octets(u64),
}

impl Capabilities {
    /// Reads the reply to EHLO. Its first line is a greeting and says nothing; a `SIZE` that is no
    /// number counts as one without number, as some limit may hold.
    ///
    /// A reply keeps [`Reply::LINES_MAX`] lines; what a server lists behind them is not seen.
    pub fn from_reply(reply: &Reply) -> Self {
        let mut offered = Self::default();
        for line in reply.lines().skip(1) {
            offered.take_line(line.trim());
        }
        offered
    }

    /// The reply to EHLO that offers this set, in the order of Exchange. `greeting` is its first
    /// line: our domain, and perhaps more words.
    pub fn to_reply(&self, greeting: &str) -> Reply {
        let mut text = greeting.to_owned();
        for line in self.lines() {
            text.push('\n');
            text.push_str(&line);
        }
        Reply::bare(ReplyCode::OK, text)
    }

    /// The largest message that the server takes, where it told.
    pub fn size_max(&self) -> Option<u64> {
        match self.size {
            Some(SizeLimit::Octets(octets)) => Some(octets),
            Some(SizeLimit::NotTold) | None => None,
        }
    }

    fn take_line(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(keyword) = words.next() else { return };
        // [RFC 5321 §2.4] keywords are compared without regard to case.
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => self.size = Some(size_limit(words.next())),
            "PIPELINING" => self.pipelining = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "STARTTLS" => self.starttls = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "CHUNKING" => self.chunking = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "LIMITS" => words.for_each(|word| self.take_limit(word)),
            "AUTH" => self.auth.extend(words.map(str::to_owned)),
            _ => self.other.push(line.to_owned()),
        }
    }

    /// [RFC 9422 §4.1] `limit-name "=" value`; limits that are not known are passed over.
    fn take_limit(&mut self, word: &str) {
        let Some((name, value)) = word.split_once('=') else { return };
        let Some(value) = value.parse().ok().filter(|&value| value > 0) else { return };
        if name.eq_ignore_ascii_case("RCPTMAX") {
            self.recipients_max = Some(value);
        } else if name.eq_ignore_ascii_case("MAILMAX") {
            self.transactions_max = Some(value);
        }
    }

    /// One line an extension.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match self.size {
            Some(SizeLimit::Octets(octets)) => lines.push(format!("SIZE {octets}")),
            Some(SizeLimit::NotTold) => lines.push("SIZE".to_owned()),
            None => {}
        }
        let mut flag = |offered: bool, keyword: &str| {
            if offered {
                lines.push(keyword.to_owned());
            }
        };
        flag(self.pipelining, "PIPELINING");
        flag(self.dsn, "DSN");
        flag(self.enhanced_status_codes, "ENHANCEDSTATUSCODES");
        flag(self.starttls, "STARTTLS");
        if !self.auth.is_empty() {
            flag(true, &format!("AUTH {}", self.auth.join(" ")));
        }
        flag(self.eight_bit_mime, "8BITMIME");
        flag(self.chunking, "CHUNKING");
        flag(self.smtputf8, "SMTPUTF8");
        let mut limits = String::new();
        if let Some(recipients) = self.recipients_max {
            let _ = write!(limits, " RCPTMAX={recipients}");
        }
        if let Some(transactions) = self.transactions_max {
            let _ = write!(limits, " MAILMAX={transactions}");
        }
        if !limits.is_empty() {
            flag(true, &format!("LIMITS{limits}"));
        }
        lines.extend(self.other.iter().cloned());
        lines
    }
}

/// `size-value = 1*20DIGIT`.
fn size_limit(value: Option<&str>) -> SizeLimit {
    match value.and_then(|value| value.parse().ok()) {
        // [RFC 1870 §3] 0 says that no fixed limit holds.
        None | Some(0) => SizeLimit::NotTold,
        Some(octets) => SizeLimit::Octets(octets),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Capabilities {
        Capabilities::from_reply(&Reply::bare(ReplyCode::OK, text.to_owned()))
    }

    #[test]
    fn whole_set_is_printed_in_the_order_of_exchange() {
        let all = Capabilities {
            size: Some(SizeLimit::Octets(37_748_736)),
            pipelining: true,
            dsn: true,
            enhanced_status_codes: true,
            starttls: true,
            eight_bit_mime: true,
            chunking: true,
            smtputf8: true,
            recipients_max: Some(200),
            transactions_max: Some(50),
            auth: vec!["NTLM".into(), "LOGIN".into()],
            other: vec!["XRDST".into()],
        };
        let reply = all.to_reply("mx.example Hello [192.0.2.1]");
        let keywords: Vec<&str> = reply.lines().collect();
        assert_eq!(
            keywords,
            [
                "mx.example Hello [192.0.2.1]",
                "SIZE 37748736",
                "PIPELINING",
                "DSN",
                "ENHANCEDSTATUSCODES",
                "STARTTLS",
                "AUTH NTLM LOGIN",
                "8BITMIME",
                "CHUNKING",
                "SMTPUTF8",
                "LIMITS RCPTMAX=200 MAILMAX=50",
                "XRDST",
            ]
        );
        assert_eq!(Capabilities::from_reply(&reply), all);
    }

    #[test]
    fn keywords_are_known_in_any_case_and_greeting_is_no_keyword() {
        let offered = read("PIPELINING\nstarttls\nSize 5\n8bitmime\nauth plain");
        assert!(!offered.pipelining && offered.starttls && offered.eight_bit_mime);
        assert_eq!(offered.size_max(), Some(5));
        assert_eq!(offered.auth, ["plain"]);
    }

    #[test]
    fn size_that_is_no_limit_limits_nothing() {
        for text in ["h\nSIZE", "h\nSIZE 0", "h\nSIZE many", "h\nSIZE 99999999999999999999999"] {
            let offered = read(text);
            assert_eq!(offered.size, Some(SizeLimit::NotTold), "{text:?}");
            assert_eq!(offered.size_max(), None, "{text:?}");
        }
    }

    #[test]
    fn limits_of_zero_or_of_unknown_name_are_passed_over() {
        let offered = read("h\nLIMITS RCPTMAX=0 XMAX=3 MAILMAX=20 RCPTDOMAINMAX=1");
        assert_eq!((offered.recipients_max, offered.transactions_max), (None, Some(20)));
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(
            size in proptest::option::of(0u64..9),
            flags in proptest::collection::vec(any::<bool>(), 7),
            recipients_max in proptest::option::of(1u32..),
            auth in proptest::collection::vec("[A-Z0-9-]{1,9}", 0..3),
            other in proptest::collection::vec("X[A-Z]{1,9}( [a-z]{1,5})?", 0..3),
        ) {
            let set = Capabilities {
                size: size.map(|n| if n == 0 { SizeLimit::NotTold } else { SizeLimit::Octets(n) }),
                pipelining: flags[0],
                dsn: flags[1],
                enhanced_status_codes: flags[2],
                starttls: flags[3],
                eight_bit_mime: flags[4],
                chunking: flags[5],
                smtputf8: flags[6],
                recipients_max,
                transactions_max: None,
                auth,
                other,
            };
            prop_assert_eq!(Capabilities::from_reply(&set.to_reply("h")), set);
        }
    }
}
