//! Trace fields: Received and Return-Path (RFC 5321 §4.4).

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::SystemTime;

use transom_types::{AddressLiteral, Domain, ForwardPath, Recipient, ReversePath};

use crate::date::date_time;
use crate::fold::{Charset, FieldWriter, is_unsafe};

/// How a message came in: the value of `with` (RFC 3848, RFC 6531 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransferProtocol {
    greeting: Greeting,
    tls: bool,
    authenticated: bool,
    utf8: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Greeting {
    Helo,
    Ehlo,
    Lhlo,
}

impl TransferProtocol {
    /// After HELO.
    pub const SMTP: Self = Self::after(Greeting::Helo);
    /// After EHLO.
    pub const ESMTP: Self = Self::after(Greeting::Ehlo);
    /// After LHLO.
    pub const LMTP: Self = Self::after(Greeting::Lhlo);

    const fn after(greeting: Greeting) -> Self {
        Self { greeting, tls: false, authenticated: false, utf8: false }
    }

    /// Says whether the session was under TLS.
    #[must_use]
    pub const fn with_tls(self, tls: bool) -> Self {
        Self { tls, ..self }
    }

    /// Says whether the client had authenticated.
    #[must_use]
    pub const fn with_authenticated(self, authenticated: bool) -> Self {
        Self { authenticated, ..self }
    }

    /// Says whether the transaction used SMTPUTF8.
    #[must_use]
    pub const fn with_utf8(self, utf8: bool) -> Self {
        Self { utf8, ..self }
    }

    /// The registered word.
    pub const fn as_str(self) -> &'static str {
        // [RFC 3848 §1] words for TLS and authentication exist behind EHLO and LHLO only.
        match (self.greeting, self.utf8, self.tls, self.authenticated) {
            (Greeting::Helo, ..) => "SMTP",
            (Greeting::Ehlo, false, false, false) => "ESMTP",
            (Greeting::Ehlo, false, true, false) => "ESMTPS",
            (Greeting::Ehlo, false, false, true) => "ESMTPA",
            (Greeting::Ehlo, false, true, true) => "ESMTPSA",
            (Greeting::Ehlo, true, false, false) => "UTF8SMTP",
            (Greeting::Ehlo, true, true, false) => "UTF8SMTPS",
            (Greeting::Ehlo, true, false, true) => "UTF8SMTPA",
            (Greeting::Ehlo, true, true, true) => "UTF8SMTPSA",
            (Greeting::Lhlo, false, false, false) => "LMTP",
            (Greeting::Lhlo, false, true, false) => "LMTPS",
            (Greeting::Lhlo, false, false, true) => "LMTPA",
            (Greeting::Lhlo, false, true, true) => "LMTPSA",
            (Greeting::Lhlo, true, false, false) => "UTF8LMTP",
            (Greeting::Lhlo, true, true, false) => "UTF8LMTPS",
            (Greeting::Lhlo, true, false, true) => "UTF8LMTPA",
            (Greeting::Lhlo, true, true, true) => "UTF8LMTPSA",
        }
    }
}

impl fmt::Display for TransferProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The trace field that this host puts before the content.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use transom_message::{Received, TransferProtocol};
///
/// let by = "mx1.contoso.com".parse()?;
/// let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
/// let peer = "192.0.2.1".parse()?;
/// let mut field = Vec::new();
/// Received::new("client.example", peer, &by, TransferProtocol::ESMTP, at)
///     .with_id("4294967297")
///     .write_to(&mut field);
/// assert_eq!(
///     String::from_utf8(field)?,
///     "Received: from client.example ([192.0.2.1]) by mx1.contoso.com with ESMTP id\r\n \
///      4294967297; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is written by `write_to`"]
pub struct Received<'a> {
    helo: &'a str,
    peer: IpAddr,
    peer_name: Option<&'a str>,
    by: &'a Domain,
    with: TransferProtocol,
    id: Option<&'a str>,
    recipients: &'a [Recipient],
    at: SystemTime,
}

impl<'a> Received<'a> {
    /// Longest name of a peer that is written, in octets.
    pub const NAME_OCTETS_MAX: usize = Domain::OCTETS_MAX;

    /// A field without id and recipient. `helo` is what the client said in EHLO or HELO.
    pub fn new(
        helo: &'a str,
        peer: IpAddr,
        by: &'a Domain,
        with: TransferProtocol,
        at: SystemTime,
    ) -> Self {
        Self { helo, peer, peer_name: None, by, with, id: None, recipients: &[], at }
    }

    /// With the peer's name as the DNS has it, confirmed by its address.
    pub fn with_peer_name(self, peer_name: Option<&'a str>) -> Self {
        Self { peer_name, ..self }
    }

    /// With the id under which this host keeps the message.
    pub fn with_id(self, id: &'a str) -> Self {
        Self { id: Some(id), ..self }
    }

    /// With the recipients of the transaction. One alone is named; of several none is, since each
    /// could read who the others are.
    pub fn with_recipients(self, recipients: &'a [Recipient]) -> Self {
        Self { recipients, ..self }
    }

    /// Appends the field, CRLF included.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // [RFC 6531 §3.7.3-a] beyond ASCII under SMTPUTF8 alone.
        let charset = if self.with.utf8 { Charset::Utf8 } else { Charset::Ascii };
        let mut field = FieldWriter::new("Received", charset, out);
        // [RFC 5321 §4.4-b, §4.4-c] the clauses in their order, the name of EHLO and the address.
        field.word(&["from"]);
        field.word(&[&peer_name(self.helo)]);
        let literal = AddressLiteral::from(self.peer).to_string();
        match self.peer_name {
            Some(name) => {
                field.word(&["(", &peer_name(name)]);
                field.word(&[&literal, ")"]);
            }
            None => field.word(&["(", &literal, ")"]),
        }
        field.word(&["by"]);
        field.word(&[self.by.as_str()]);
        field.word(&["with"]);
        field.word(&[self.with.as_str()]);
        if let Some(id) = self.id {
            field.word(&["id"]);
            field.word(&[&atom(id)]);
        }
        // [RFC 5321 §4.4-d] a path stands in "for" only where there is one recipient.
        if let [Recipient { forward_path: ForwardPath::Mailbox(mailbox), .. }] = self.recipients
            && (self.with.utf8 || mailbox.is_ascii())
        {
            field.word(&["for"]);
            field.word(&["<", mailbox.as_str(), ">"]);
        }
        field.semicolon();
        field.text(&date_time(self.at));
        field.end();
    }
}

/// A name that a peer chose: what is neither letter, digit nor sign of a domain or address literal
/// becomes `?`, so that it can end no comment and begin no clause.
fn peer_name(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    for c in name.chars() {
        let ok = c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        let c = if ok { c } else { '?' };
        if clean.len().saturating_add(c.len_utf8()) > Received::NAME_OCTETS_MAX {
            break;
        }
        clean.push(c);
    }
    if clean.is_empty() { "unknown".into() } else { clean }
}

/// An id as an atom: no clause, comment or separator can stand in it.
fn atom(id: &str) -> String {
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '+');
    id.chars().take(64).map(|c| if ok(c) { c } else { '?' }).collect()
}

/// The field that final delivery puts before all others: where reports would have gone.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the field holds a path and nothing else")]
pub struct ReturnPath<'a>(pub &'a ReversePath);

impl ReturnPath<'_> {
    /// Appends the field, CRLF included. It stays on one line: paths are not folded.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl fmt::Display for ReturnPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path holds no control character, as its type says; what else some reader takes for the
        // end of a line may stand in a quoted local-part.
        f.write_str("Return-Path: ")?;
        for c in self.0.to_string().chars() {
            f.write_char(if is_unsafe(c) { '?' } else { c })?;
        }
        f.write_str("\r\n")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::HeaderSection;

    const AT: Duration = Duration::from_secs(1_700_000_000);

    fn received(helo: &str, with: TransferProtocol, recipients: &[&str]) -> String {
        let by: Domain = "mx1.contoso.com".parse().unwrap();
        let recipients: Vec<Recipient> = recipients
            .iter()
            .map(|path| Recipient::from(path.parse::<ForwardPath>().unwrap()))
            .collect();
        let mut out = Vec::new();
        let peer = "2001:db8::1".parse().unwrap();
        Received::new(helo, peer, &by, with, SystemTime::UNIX_EPOCH + AT)
            .with_peer_name(Some("peer.example"))
            .with_id("42")
            .with_recipients(&recipients)
            .write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    // [RFC 5321 §4.4-b, §4.4-c] test
    #[test]
    fn clauses_stand_in_their_order() {
        assert_eq!(
            received("client.example", TransferProtocol::ESMTP, &["<b@contoso.com>"]),
            "Received: from client.example (peer.example [IPv6:2001:db8::1]) by\r\n \
             mx1.contoso.com with ESMTP id 42 for <b@contoso.com>; Tue, 14 Nov 2023\r\n \
             22:13:20 +0000\r\n"
        );
    }

    // [RFC 5321 §4.4-d] test
    #[test]
    fn several_recipients_are_not_named() {
        let several = ["<b@contoso.com>", "<c@contoso.com>"];
        assert!(!received("x", TransferProtocol::ESMTP, &several).contains("for"));
        assert!(!received("x", TransferProtocol::ESMTP, &[]).contains("for"));
    }

    // [RFC 3848 §1] test
    #[test]
    fn with_names_the_transmission_type() {
        let esmtp = TransferProtocol::ESMTP;
        let table = [
            (TransferProtocol::SMTP, "SMTP"),
            (TransferProtocol::SMTP.with_tls(true), "SMTP"),
            (esmtp, "ESMTP"),
            (esmtp.with_tls(true), "ESMTPS"),
            (esmtp.with_authenticated(true), "ESMTPA"),
            (esmtp.with_tls(true).with_authenticated(true), "ESMTPSA"),
            (esmtp.with_utf8(true), "UTF8SMTP"),
            (esmtp.with_utf8(true).with_tls(true), "UTF8SMTPS"),
            (TransferProtocol::LMTP, "LMTP"),
            (TransferProtocol::LMTP.with_tls(true).with_authenticated(true), "LMTPSA"),
            (TransferProtocol::LMTP.with_utf8(true), "UTF8LMTP"),
        ];
        for (protocol, word) in table {
            assert_eq!(protocol.to_string(), word);
        }
    }

    // [RFC 6531 §3.7.3-a] test
    #[test]
    fn utf8_stands_in_the_field_only_under_smtputf8() {
        let utf8 = TransferProtocol::ESMTP.with_utf8(true);
        let recipient = ["<\u{fc}@contoso.com>"];
        assert!(received("x", utf8, &recipient).contains("for <\u{fc}@contoso.com>"));
        assert!(received("x", TransferProtocol::ESMTP, &recipient).is_ascii());
    }

    // attacks.md 8: what a peer says in EHLO begins no clause and ends no comment.
    #[test]
    fn name_of_a_peer_cannot_forge_a_clause() {
        let field = received("x) by evil.example; \r\nBcc: y (", TransferProtocol::ESMTP, &[]);
        assert!(
            field.starts_with("Received: from x??by?evil.example????Bcc:?y?? (peer"),
            "{field}"
        );
    }

    #[test]
    fn silent_peer_is_unknown() {
        assert!(received("", TransferProtocol::SMTP, &[]).starts_with("Received: from unknown ("));
    }

    #[test]
    fn return_path_shows_the_null_path() {
        assert_eq!(ReturnPath(&ReversePath::Null).to_string(), "Return-Path: <>\r\n");
        let path = "<a@contoso.com>".parse().unwrap();
        let mut out = Vec::new();
        ReturnPath(&path).write_to(&mut out);
        assert_eq!(out, b"Return-Path: <a@contoso.com>\r\n");
    }

    proptest! {
        #[test]
        fn any_helo_gives_one_field_of_bounded_lines(helo in any::<String>()) {
            let field = received(&helo, TransferProtocol::ESMTP, &["<b@contoso.com>"]);
            prop_assert!(field.is_ascii());
            prop_assert_eq!(HeaderSection::parse(field.as_bytes()).fields().count(), 1);
            prop_assert!(field.split("\r\n").all(|line| line.len() <= 300));
            // A host may call itself "by"; it must not name another receiver.
            let unfolded = field.replace("\r\n", "");
            prop_assert_eq!(unfolded.matches(" by mx1.contoso.com").count(), 1);
        }
    }
}
