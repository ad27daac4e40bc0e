//! What the application's answers do.

use std::sync::Arc;

use transom_types::{Reply, ReplyCode, Severity};

use super::{Answer, Close, FixedReply, Open, ServerSession, State, Transaction, Turn};
use crate::codec::data::ContentDecoder;
use crate::codec::ehlo::{Capabilities, SizeLimit};

/// What a peer may say of its client.
const XCLIENT_ATTRIBUTES: [&str; 8] =
    ["NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"];
/// What it may say of a message.
const XFORWARD_ATTRIBUTES: [&str; 7] = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"];

impl ServerSession {
    /// Applies the answer to the open event.
    pub(super) fn answered<'i>(
        &mut self,
        open: Open,
        answer: Answer,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        self.open = None;
        self.clock.restart_command(&self.config.limits);
        let reply = match answer {
            Answer::Default => None,
            Answer::Verdict(verdict) => return self.judged(*verdict, input, out),
            Answer::Restart(_) if !input.is_empty() => {
                return self.close(FixedReply::Pipelining, Close::Pipelining, out);
            }
            Answer::Restart(with) => {
                if let Open::Xclient { address } = open {
                    self.begin_anew(address, Some(*with));
                }
                return Turn::consumed(0);
            }
            Answer::Replies(replies) => return self.answered_each(&replies, out),
            Answer::Last(reply) => {
                self.say_times(&reply, self.replies_to(open), out);
                return Turn::output(self.closed(Close::Application));
            }
            Answer::Reply(reply) if reply.code() == ReplyCode::SERVICE_NOT_AVAILABLE => {
                self.say_times(&reply, self.replies_to(open), out);
                return Turn::output(self.closed(Close::Application));
            }
            Answer::Reply(reply) => Some(reply),
        };
        // What came before the reply cannot be an answer to it.
        if !input.is_empty() {
            match open {
                Open::Connect => {
                    return self.close(FixedReply::EarlyTalker, Close::EarlyTalker, out);
                }
                Open::Auth
                | Open::Authenticate { .. }
                | Open::EndOfAuthentication
                | Open::Hello { .. }
                | Open::Data
                | Open::StartTls
                | Open::Xclient { .. } => {
                    return self.close(FixedReply::Pipelining, Close::Pipelining, out);
                }
                _ => {}
            }
        }
        match reply {
            Some(reply) if matches!(open, Open::Authenticate { .. }) => {
                let at_fault = reply.code().severity() == Severity::PermanentNegative;
                self.authentication_refused(reply, at_fault)
            }
            Some(reply)
                if open != Open::EndOfAuthentication
                    && reply.code().severity() != open.positive() =>
            {
                self.refused(open, reply, out);
                Turn::consumed(0)
            }
            Some(reply) if open == Open::EndOfAuthentication => {
                self.authentication_refused(reply, false)
            }
            None if open == Open::Auth => self.begin_exchange(out),
            None if open == Open::EndOfAuthentication => self.authenticated(out),
            None if open == Open::StartTls => self.begin_tls(out),
            reply => {
                self.granted(open, reply, out);
                Turn::consumed(0)
            }
        }
    }

    fn refused(&mut self, open: Open, reply: Reply, out: &mut Vec<u8>) {
        match open {
            // [RFC 5321 §3.1] a session that is refused by 5yz still waits for QUIT.
            Open::Connect => self.state = State::Refused,
            // [RFC 5321 §3.3-a] the code of the refusal, 4yz or 5yz, is said as it is.
            Open::Mail { .. } => self.begin_aftermath(),
            Open::Rcpt => {
                self.begin_aftermath();
                let delay = self.tarpit(&reply);
                return self.say_late(reply, delay, out);
            }
            Open::Data => {
                self.drop_transaction();
                self.begin_aftermath();
            }
            Open::Bdat { octets, last } => {
                self.drop_transaction();
                self.begin_aftermath();
                return self.skip(octets, reply, self.replies_to_content(last));
            }
            // [RFC 5321 §4.1.1.4-f] a negative reply, and the transaction is over.
            Open::EndOfData => self.state = State::Identified,
            // [RFC 5321 §4.1.4-c, §4.1.4-d] a refused EHLO leaves all as it was.
            Open::Expn | Open::Vrfy => {
                let delay = self.tarpit(&reply);
                return self.say_late(reply, delay, out);
            }
            // It was not begun.
            Open::Auth => self.authentication = None,
            Open::Authenticate { .. }
            | Open::EndOfAuthentication
            | Open::Help
            | Open::Noop
            | Open::Rset
            | Open::StartTls
            | Open::Etrn
            | Open::Extension
            | Open::Hello { .. }
            | Open::Xclient { .. }
            | Open::Xforward => {}
        }
        self.say_times(&reply, self.replies_to(open), out);
    }

    fn granted(&mut self, open: Open, reply: Option<Reply>, out: &mut Vec<u8>) {
        let config = Arc::clone(&self.config);
        let usual =
            |fixed: FixedReply| reply.clone().unwrap_or_else(|| config.replies.reply(fixed));
        let reply = match open {
            Open::Connect => {
                self.state = State::Greeted;
                reply.unwrap_or_else(|| config.greeting_at(None))
            }
            Open::Hello { esmtp } => return self.identified(esmtp, reply.as_ref(), out),
            Open::Mail { smtputf8, binary } => {
                self.state = State::Envelope;
                self.transaction = Transaction::new(smtputf8, binary);
                self.aftermath = 0;
                usual(FixedReply::SenderOk)
            }
            Open::Rcpt => {
                self.transaction.recipients = self.transaction.recipients.saturating_add(1);
                usual(FixedReply::RecipientOk)
            }
            Open::Data => {
                self.state = State::Data;
                self.transaction.decoder = ContentDecoder::for_data(self.config.bare_newline);
                self.clock.begin_content(&self.config.limits);
                usual(FixedReply::StartMailInput)
            }
            Open::Bdat { octets, last } => {
                self.transaction.decoder = ContentDecoder::for_chunks(self.config.bare_newline);
                self.clock.begin_content(&self.config.limits);
                self.begin_chunk(octets, last);
                return; // the chunk itself is answered
            }
            Open::EndOfData => {
                self.state = State::Identified;
                self.junk = 0;
                // [RFC 5321 §4.1.1.4-e] a positive reply.
                usual(FixedReply::Queued)
            }
            Open::Etrn => usual(FixedReply::QueuingStarted),
            // [RFC 5321 §3.5.3-a, §7.3-a, §7.3-b] 252 says that nothing was verified.
            Open::Expn => usual(FixedReply::CannotExpand),
            Open::Extension | Open::Noop | Open::Xforward => usual(FixedReply::Ok),
            Open::Vrfy => usual(FixedReply::CannotVerify),
            // [Postfix XCLIENT] the greeting that follows is the reply.
            Open::Xclient { address } => return self.begin_anew(address, None),
            Open::Help => usual(self.help()),
            Open::Rset => {
                self.forget_transaction();
                usual(FixedReply::Reset)
            }
            // These are answered by a verdict, by a step of their own, or refused.
            Open::Auth | Open::Authenticate { .. } | Open::EndOfAuthentication | Open::StartTls => {
                usual(FixedReply::AuthenticationUnavailable)
            }
        };
        self.say_times(&reply, self.replies_to(open), out);
    }

    /// One reply for each recipient.
    fn answered_each<'i>(&mut self, replies: &[Reply], out: &mut Vec<u8>) -> Turn<'i> {
        self.state = State::Identified;
        for reply in replies {
            self.say(reply, out);
        }
        if replies.iter().any(|reply| reply.code() == ReplyCode::SERVICE_NOT_AVAILABLE) {
            return Turn::output(self.closed(Close::Application));
        }
        if replies.iter().any(|reply| reply.code().is_positive()) {
            self.junk = 0;
        }
        Turn::consumed(0)
    }

    fn replies_to(&self, open: Open) -> u32 {
        match open {
            Open::EndOfData => self.replies_to_content(true),
            _ => 1,
        }
    }

    pub(super) fn say_times(&self, reply: &Reply, times: u32, out: &mut Vec<u8>) {
        for _ in 0..times {
            self.say(reply, out);
        }
    }

    /// [RFC 5321 §4.1.4-b] EHLO in a transaction drops it, like RSET.
    fn identified(&mut self, esmtp: bool, reply: Option<&Reply>, out: &mut Vec<u8>) {
        if matches!(self.state, State::Envelope | State::Chunks) {
            self.drop_transaction();
        }
        self.state = State::Identified;
        self.aftermath = 0;
        self.esmtp = esmtp;
        let (config, address) = (&self.config, self.client_address);
        let address = address.map(|address| address.to_canonical().to_string());
        let own = reply.and_then(|reply| reply.lines().next());
        let usual = config.replies.filled(
            FixedReply::Hello,
            &[("{name}", Some(config.name.as_str())), ("{address}", address.as_deref())],
        );
        let first = own.unwrap_or_else(|| usual.lines().next().unwrap_or_default());
        if esmtp {
            self.say(&config.replies.in_order(self.capabilities().to_reply(first)), out);
        } else {
            // [RFC 5321 §3.2-a] one line.
            self.say(&Reply::bare(ReplyCode::OK, first.to_owned()), out);
        }
    }

    fn capabilities(&self) -> Capabilities {
        let offered = self.offered();
        let limits = Some(self.config.limits).filter(|_| offered.limits);
        let size =
            |octets| if offered.size_told { SizeLimit::Octets(octets) } else { SizeLimit::NotTold };
        let list = |names: &[&str], switch: bool| {
            names.iter().filter(|_| switch).map(|&name| name.to_owned()).collect()
        };
        let own = self.config.keywords.iter().map(ToString::to_string);
        // [RFC 5321 §2.2.2-a] keywords of registered extensions, and what the host program adds.
        Capabilities {
            size: offered.size.filter(|_| offered.size_offered).map(size),
            pipelining: offered.pipelining,
            dsn: offered.dsn,
            enhanced_status_codes: offered.enhanced_status_codes,
            // [RFC 3207 §4.2-f] not offered again behind it.
            starttls: offered.starttls && !self.tls,
            auth: self.mechanisms_offered().into_iter().map(str::to_owned).collect(),
            eight_bit_mime: offered.eight_bit_mime,
            chunking: offered.chunking,
            binary_mime: offered.binary_mime && offered.chunking,
            // [RFC 6531 §3.1-a, §3.1-d] a keyword alone; all that it promises is kept.
            smtputf8: offered.smtputf8,
            deliver_by: offered.deliver_by,
            future_release: offered.future_release,
            mt_priority: offered.mt_priority.then(String::new),
            // [RFC 8689 §2-d] offered behind TLS alone.
            require_tls: offered.require_tls && self.tls,
            rrvs: offered.rrvs,
            etrn: offered.etrn,
            // [RFC 5321 §3.5.2-c] where it is there.
            expn: offered.expn,
            xclient: list(&XCLIENT_ATTRIBUTES, offered.xclient),
            xforward: list(&XFORWARD_ATTRIBUTES, offered.xforward),
            // [RFC 9422 §3.1-a] these are registered.
            recipients_max: limits.map(|limits| limits.recipients_max),
            transactions_max: limits.map(|limits| limits.transactions_max),
            other: own.collect(),
            ..Capabilities::default()
        }
    }
}
