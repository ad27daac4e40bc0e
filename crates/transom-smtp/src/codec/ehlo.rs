//! What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1), as a typed set.
//!
//! The client session reads the set, the server session prints it. What an extension *does* is
//! in the sessions.

use transom_types::{HoldInterval, Reply, ReplyCode, Timestamp};

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
    /// `BINARYMIME` (RFC 3030).
    pub binary_mime: bool,
    /// `REQUIRETLS` (RFC 8689).
    pub require_tls: bool,
    /// `DELIVERBY` (RFC 2852): the shortest time in seconds that may be asked for, 0 where none is
    /// told.
    pub deliver_by: Option<u32>,
    /// `FUTURERELEASE` (RFC 4865).
    pub future_release: Option<FutureReleaseOffer>,
    /// `MT-PRIORITY` (RFC 6710): the name of its profile, empty where none is told.
    pub mt_priority: Option<String>,
    /// `RRVS` (RFC 7293).
    pub rrvs: bool,
    /// `ETRN` (RFC 1985).
    pub etrn: bool,
    /// `VRFY` (RFC 5321 §3.5.2).
    pub vrfy: bool,
    /// `EXPN`.
    pub expn: bool,
    /// `HELP`.
    pub help: bool,
    /// `XCLIENT`: which attributes may be told; empty where it is not offered.
    pub xclient: Vec<String>,
    /// `XFORWARD`: the same.
    pub xforward: Vec<String>,
    /// `LIMITS RCPTMAX=` (RFC 9422): most recipients in a transaction.
    pub recipients_max: Option<u32>,
    /// `LIMITS MAILMAX=` (RFC 9422): most transactions in a session.
    pub transactions_max: Option<u32>,
    /// `LIMITS RCPTDOMAINMAX=` (RFC 9422): most domains of recipients in a session.
    pub recipient_domains_max: Option<u32>,
    /// Limits that are not known here, as they came.
    pub other_limits: Vec<String>,
    /// `AUTH` (RFC 4954): the SASL mechanisms, in the order and case they came in.
    pub auth: Vec<String>,
    /// Lines with keywords that are not known here, as they came.
    pub other: Vec<String>,
}

/// Largest value of a limit.
const LIMIT_VALUE_MAX: u32 = 999_999;

/// [RFC 9422 §4.1-a, §4.2-a] six digits at most, the first of them not 0. What needs more is not
/// told.
fn is_limit(value: u32) -> bool {
    (1..=LIMIT_VALUE_MAX).contains(&value)
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

/// What stands behind `FUTURERELEASE`: how far ahead a message may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4865 §3 has these two")]
pub struct FutureReleaseOffer {
    /// The longest interval.
    pub interval_max: HoldInterval,
    /// The latest moment.
    pub until_max: Timestamp,
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
            // What a caller put into a list may not make a second line.
            text.extend(line.chars().filter(|c| !c.is_control()));
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
        // [RFC 5321 §2.4-b, §4.1.1.1-c] keywords are compared without regard to case.
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => self.size = Some(size_limit(words.next())),
            "PIPELINING" => self.pipelining = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "STARTTLS" => self.starttls = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "CHUNKING" => self.chunking = true,
            // [RFC 6531 §3.1-b] whatever stands behind it.
            "SMTPUTF8" => self.smtputf8 = true,
            "LIMITS" => words.for_each(|word| self.take_limit(word)),
            "AUTH" => self.auth.extend(words.map(str::to_owned)),
            "BINARYMIME" => self.binary_mime = true,
            "REQUIRETLS" => self.require_tls = true,
            "DELIVERBY" => self.deliver_by = Some(deliver_by_min(words.next())),
            "FUTURERELEASE" => match future_release(words.next(), words.next()) {
                Some(offer) => self.future_release = Some(offer),
                // Without its limits it cannot be used.
                None => self.other.push(line.to_owned()),
            },
            "MT-PRIORITY" => self.mt_priority = Some(words.next().unwrap_or("").to_owned()),
            "RRVS" => self.rrvs = true,
            "ETRN" => self.etrn = true,
            "VRFY" => self.vrfy = true,
            "EXPN" => self.expn = true,
            "HELP" => self.help = true,
            "XCLIENT" => self.xclient.extend(words.map(str::to_owned)),
            "XFORWARD" => self.xforward.extend(words.map(str::to_owned)),
            _ => self.other.push(line.to_owned()),
        }
    }

    /// [RFC 9422 §3] `limit-name [ "=" value ]`; limits that are not known are kept.
    ///
    /// [RFC 9422 §3.7-a] known ones without a number from 1 to 999,999 are passed over.
    fn take_limit(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let field = match name.to_ascii_uppercase().as_str() {
            "RCPTMAX" => &mut self.recipients_max,
            "MAILMAX" => &mut self.transactions_max,
            "RCPTDOMAINMAX" => &mut self.recipient_domains_max,
            _ => return self.other_limits.push(word.to_owned()),
        };
        // A number that begins with 0 or a sign is none of the grammar's.
        let begins_well = value.starts_with(|first| matches!(first, '1'..='9'));
        let value = value.parse().ok().filter(|&value| begins_well && is_limit(value));
        if let Some(value) = value {
            *field = Some(value);
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
        let mut offer = |offered: bool, keyword: &str, words: &str| {
            if offered {
                let space = if words.is_empty() { "" } else { " " };
                lines.push(format!("{keyword}{space}{words}"));
            }
        };
        offer(self.pipelining, "PIPELINING", "");
        offer(self.dsn, "DSN", "");
        offer(self.enhanced_status_codes, "ENHANCEDSTATUSCODES", "");
        offer(self.starttls, "STARTTLS", "");
        offer(!self.auth.is_empty(), "AUTH", &self.auth.join(" "));
        offer(self.eight_bit_mime, "8BITMIME", "");
        offer(self.binary_mime, "BINARYMIME", "");
        offer(self.chunking, "CHUNKING", "");
        offer(self.smtputf8, "SMTPUTF8", "");
        offer(self.require_tls, "REQUIRETLS", "");
        let min = self.deliver_by.filter(|&seconds| seconds > 0);
        let min = min.map(|seconds| seconds.to_string());
        offer(self.deliver_by.is_some(), "DELIVERBY", &min.unwrap_or_default());
        if let Some(FutureReleaseOffer { interval_max, until_max }) = self.future_release {
            offer(true, "FUTURERELEASE", &format!("{interval_max} {until_max}"));
        }
        let profile = self.mt_priority.as_deref();
        offer(profile.is_some(), "MT-PRIORITY", profile.unwrap_or(""));
        offer(self.rrvs, "RRVS", "");
        offer(self.etrn, "ETRN", "");
        offer(self.vrfy, "VRFY", "");
        offer(self.expn, "EXPN", "");
        offer(self.help, "HELP", "");
        offer(!self.xclient.is_empty(), "XCLIENT", &self.xclient.join(" "));
        offer(!self.xforward.is_empty(), "XFORWARD", &self.xforward.join(" "));
        let limits = self.limits();
        offer(!limits.is_empty(), "LIMITS", &limits.join(" "));
        lines.extend(self.other.iter().cloned());
        lines
    }

    fn limits(&self) -> Vec<String> {
        let known = [
            ("RCPTMAX", self.recipients_max),
            ("MAILMAX", self.transactions_max),
            ("RCPTDOMAINMAX", self.recipient_domains_max),
        ];
        let known = known.into_iter().filter_map(|(name, max)| {
            let max = max.filter(|&value| is_limit(value))?;
            Some(format!("{name}={max}"))
        });
        known.chain(self.other_limits.iter().cloned()).collect()
    }
}

/// `min-by-time = 1*9DIGIT`.
fn deliver_by_min(value: Option<&str>) -> u32 {
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// `future-release-interval SP future-release-date-time`.
fn future_release(interval: Option<&str>, until: Option<&str>) -> Option<FutureReleaseOffer> {
    let interval_max = interval?.parse().ok()?;
    Some(FutureReleaseOffer { interval_max, until_max: until?.parse().ok()? })
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
            binary_mime: true,
            require_tls: true,
            deliver_by: Some(240),
            future_release: Some(FutureReleaseOffer {
                interval_max: "604800".parse().unwrap(),
                until_max: "2026-12-31T00:00:00Z".parse().unwrap(),
            }),
            mt_priority: Some("MIXER".into()),
            rrvs: true,
            etrn: true,
            vrfy: true,
            expn: true,
            help: true,
            xclient: vec!["NAME".into(), "ADDR".into()],
            xforward: vec!["IDENT".into()],
            recipient_domains_max: Some(5),
            other_limits: vec!["XMAX=7".into()],
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
                "BINARYMIME",
                "CHUNKING",
                "SMTPUTF8",
                "REQUIRETLS",
                "DELIVERBY 240",
                "FUTURERELEASE 604800 2026-12-31T00:00:00Z",
                "MT-PRIORITY MIXER",
                "RRVS",
                "ETRN",
                "VRFY",
                "EXPN",
                "HELP",
                "XCLIENT NAME ADDR",
                "XFORWARD IDENT",
                "LIMITS RCPTMAX=200 MAILMAX=50 RCPTDOMAINMAX=5 XMAX=7",
                "XRDST",
            ]
        );
        assert_eq!(Capabilities::from_reply(&reply), all);
    }

    // [RFC 5321 §4.1.1.1-c] test
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
    fn limits_of_zero_are_passed_over_and_unknown_ones_kept() {
        let offered = read("h\nLIMITS RCPTMAX=0 XMAX=3 mailmax=20 RCPTDOMAINMAX=1000000 YMAX");
        assert_eq!((offered.recipients_max, offered.transactions_max), (None, Some(20)));
        assert_eq!(offered.recipient_domains_max, None);
        assert_eq!(offered.other_limits, ["XMAX=3", "YMAX"]);
    }

    #[test]
    fn future_release_without_its_limits_is_no_offer() {
        for line in ["FUTURERELEASE", "FUTURERELEASE 0 2026-12-31T00:00:00Z", "FUTURERELEASE 5"] {
            let offered = read(&format!("h\n{line}"));
            assert_eq!((offered.future_release, offered.other), (None, vec![line.to_owned()]));
        }
        assert_eq!(read("h\nDELIVERBY\nMT-PRIORITY").deliver_by, Some(0));
    }

    // Attack 6.
    #[test]
    fn lists_of_a_caller_make_no_further_lines() {
        let mut set =
            Capabilities { auth: vec!["PLAIN\r\nX\nY".into()], ..Capabilities::default() };
        set.other.push("A\nB\r".into());
        set.mt_priority = Some("\n".into());
        let reply = set.to_reply("h").to_string();
        assert_eq!(reply, "250-h\r\n250-AUTH PLAINXY\r\n250-MT-PRIORITY \r\n250 AB\r\n");
    }

    #[test]
    fn limits_that_need_more_than_six_digits_are_not_told() {
        let limits = |recipients_max, transactions_max| {
            let offered = Capabilities { recipients_max, transactions_max, ..read("h") };
            offered.to_reply("h").lines().nth(1).map(str::to_owned)
        };
        assert_eq!(limits(Some(999_999), Some(1_000_000)).unwrap(), "LIMITS RCPTMAX=999999");
        assert_eq!(limits(None, Some(u32::MAX)), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(
            size in proptest::option::of(0u64..9),
            flags in proptest::collection::vec(any::<bool>(), 14),
            deliver_by in proptest::option::of(0u32..999_999_999),
            future_release in proptest::option::of((1u32..999_999_999, 0i64..4_000_000_000)),
            mt_priority in proptest::option::of("[A-Z0-9]{0,9}"),
            recipients_max in proptest::option::of(1..=LIMIT_VALUE_MAX),
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
                recipient_domains_max: recipients_max,
                binary_mime: flags[7],
                require_tls: flags[8],
                rrvs: flags[9],
                etrn: flags[10],
                vrfy: flags[11],
                expn: flags[12],
                help: flags[13],
                deliver_by,
                future_release: future_release.map(|(interval, until)| FutureReleaseOffer {
                    interval_max: HoldInterval::new(interval).unwrap(),
                    until_max: Timestamp::from_unix(until).unwrap(),
                }),
                mt_priority,
                xclient: auth.clone(),
                xforward: auth.clone(),
                other_limits: auth.iter().map(|name| format!("X{name}=5")).collect(),
                auth,
                other,
            };
            prop_assert_eq!(Capabilities::from_reply(&set.to_reply("h")), set);
        }
    }
}
