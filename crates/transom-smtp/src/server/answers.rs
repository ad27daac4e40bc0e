//! What the application's answers do.

use transom_types::{Reply, ReplyCode};

use super::replies::Fixed;
use super::{Answer, Close, Open, ServerSession, State, Transaction, Turn, replies};
use crate::codec::data::ContentDecoder;
use crate::codec::ehlo::{Capabilities, SizeLimit};

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
            Answer::Reply(reply) if reply.code() == ReplyCode::SERVICE_NOT_AVAILABLE => {
                self.say(&reply, out);
                return Turn::output(self.closed(Close::Application));
            }
            Answer::Reply(reply) => Some(reply),
        };
        // What came before the reply cannot be an answer to it.
        if !input.is_empty() {
            match open {
                Open::Connect => {
                    return self.close(replies::EARLY_TALKER, Close::EarlyTalker, out);
                }
                Open::Authenticate { .. } | Open::Hello { .. } | Open::Data => {
                    return self.close(replies::PIPELINING, Close::Pipelining, out);
                }
                _ => {}
            }
        }
        match reply {
            Some(reply) if matches!(open, Open::Authenticate { .. }) => {
                return self.authentication_refused(reply);
            }
            Some(reply) if reply.code().severity() != open.positive() => {
                self.refused(open, reply, out);
            }
            reply => self.granted(open, reply, out),
        }
        Turn::consumed(0)
    }

    fn refused(&mut self, open: Open, reply: Reply, out: &mut Vec<u8>) {
        match open {
            // [RFC 5321 §3.1] a session that is refused by 5yz still waits for QUIT.
            Open::Connect => self.state = State::Refused,
            Open::Mail { .. } | Open::Rcpt => self.begin_aftermath(),
            Open::Data => {
                self.drop_transaction();
                self.begin_aftermath();
            }
            Open::Bdat { octets, .. } => {
                self.drop_transaction();
                self.begin_aftermath();
                return self.skip(octets, reply);
            }
            Open::EndOfData => self.state = State::Identified,
            Open::Authenticate { .. } | Open::Hello { .. } | Open::Vrfy => {}
        }
        self.say(&reply, out);
    }

    fn granted(&mut self, open: Open, reply: Option<Reply>, out: &mut Vec<u8>) {
        let usual = |fixed: Fixed| reply.clone().unwrap_or_else(|| fixed.reply());
        let reply = match open {
            Open::Connect => {
                self.state = State::Greeted;
                reply.unwrap_or_else(|| self.greeting())
            }
            Open::Hello { esmtp } => return self.identified(esmtp, reply.as_ref(), out),
            Open::Mail { smtputf8 } => {
                self.state = State::Envelope;
                self.transaction = Transaction::new(smtputf8);
                self.aftermath = 0;
                usual(replies::SENDER_OK)
            }
            Open::Rcpt => {
                self.transaction.recipients = self.transaction.recipients.saturating_add(1);
                usual(replies::RECIPIENT_OK)
            }
            Open::Data => {
                self.state = State::Data;
                self.transaction.decoder = ContentDecoder::for_data(self.config.bare_newline);
                self.clock.begin_content(&self.config.limits);
                reply.unwrap_or_else(replies::start_mail_input)
            }
            Open::Bdat { octets, last } => {
                self.transaction.decoder = ContentDecoder::for_chunks(self.config.bare_newline);
                self.begin_chunk(octets, last);
                return; // the chunk itself is answered
            }
            Open::EndOfData => {
                self.state = State::Identified;
                self.junk = 0;
                usual(replies::QUEUED)
            }
            Open::Vrfy => usual(replies::CANNOT_VERIFY),
            // It is answered by a verdict, or refused.
            Open::Authenticate { .. } => usual(replies::AUTHENTICATION_UNAVAILABLE),
        };
        self.say(&reply, out);
    }

    /// [RFC 5321 §4.1.4] EHLO in a transaction drops it, like RSET.
    fn identified(&mut self, esmtp: bool, reply: Option<&Reply>, out: &mut Vec<u8>) {
        if matches!(self.state, State::Envelope | State::Chunks) {
            self.drop_transaction();
        }
        self.state = State::Identified;
        self.aftermath = 0;
        self.esmtp = esmtp;
        let first = reply.and_then(|reply| reply.lines().next());
        let first = first.unwrap_or(self.config.name.as_str());
        if esmtp {
            self.say(&self.capabilities().to_reply(first), out);
        } else {
            self.say(&Reply::bare(ReplyCode::OK, first.to_owned()), out);
        }
    }

    fn greeting(&self) -> Reply {
        let text = format!("{} {}", self.config.name, self.config.greeting);
        Reply::bare(ReplyCode::READY, text)
    }

    fn capabilities(&self) -> Capabilities {
        let offered = self.config.extensions;
        let limits = self.config.limits;
        Capabilities {
            size: offered.size.map(SizeLimit::Octets),
            pipelining: offered.pipelining,
            dsn: offered.dsn,
            enhanced_status_codes: offered.enhanced_status_codes,
            // [RFC 3207 §4.2] not offered again behind it.
            starttls: offered.starttls && !self.tls,
            auth: self.mechanisms_offered().into_iter().map(str::to_owned).collect(),
            eight_bit_mime: offered.eight_bit_mime,
            chunking: offered.chunking,
            smtputf8: offered.smtputf8,
            deliver_by: offered.deliver_by.then_some(0),
            future_release: offered.future_release,
            mt_priority: offered.mt_priority.then(String::new),
            // [RFC 8689 §3] not offered before TLS.
            require_tls: offered.require_tls && self.tls,
            rrvs: offered.rrvs,
            recipients_max: Some(limits.recipients_max),
            transactions_max: Some(limits.transactions_max),
            ..Capabilities::default()
        }
    }
}
