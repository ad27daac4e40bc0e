//! MAIL and RCPT, and what of their parameters is taken.

use transom_types::{
    BodyType, DeliverByMode, ForwardPath, FutureRelease, MailParameters, Mailbox, RcptParameters,
    ReversePath, Submitter,
};

use super::{Close, Event, FixedReply, Open, ServerSession, State, Turn};

/// Recipients above the limit that one transaction may name for nothing: more than the largest
/// lists that programs send at once.
const SURPLUS_RECIPIENTS_MAX: u32 = 5_000;

impl ServerSession {
    pub(super) fn mail<'i>(
        &mut self,
        reverse_path: ReversePath,
        parameters: MailParameters,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        match self.state {
            State::Identified => {}
            // [RFC 5321 §4.1.4-a, §4.1.4-i] 503, and all stays as it was.
            State::Greeted => return self.error(FixedReply::SendHello, out),
            _ => return self.error(FixedReply::SenderGiven, out),
        }
        self.transactions = self.transactions.saturating_add(1);
        if self.transactions > self.config.limits.transactions_max {
            return self.close(FixedReply::TooManyTransactions, Close::Transactions, out);
        }
        self.begin_aftermath(); // until the application accepts it
        if let Some(refusal) = self.mail_refusal(&reverse_path, &parameters) {
            return self.error(refusal, out);
        }
        if self.beyond_limits(&parameters) {
            return self.error(FixedReply::ParameterBeyondLimit, out);
        }
        // [RFC 1870 §6.1-a, §7-a] a declared size above the limit is refused before the content.
        let size_max = self.config.extensions.size;
        if size_max.is_some_and(|max| parameters.size.is_some_and(|size| size > max)) {
            self.say_fixed(FixedReply::MessageTooLarge, out);
            return Turn::consumed(0);
        }
        let mut parameters = parameters;
        // [RFC 4954 §5-a, §5-b, §5-e] nobody is believed who the submitter was without being known
        // himself.
        if parameters.auth.is_some() && self.principal.is_none() {
            parameters.auth = Some(Submitter::Unknown);
        }
        let binary = parameters.body == BodyType::BinaryMime;
        let open = Open::Mail { smtputf8: parameters.smtputf8, binary };
        // [RFC 8689 §4.1-a] REQUIRETLS goes to the application, which keeps it with the message.
        self.ask(open, Event::Mail { reverse_path, parameters })
    }

    /// Why this MAIL is against what was offered.
    fn mail_refusal(&self, path: &ReversePath, given: &MailParameters) -> Option<FixedReply> {
        let offered = self.offered();
        let on = |switch: bool| switch && self.esmtp;
        let size_offered = on(offered.size.is_some() && offered.size_offered);
        let not_offered = (given.size.is_some() && !size_offered)
            // [RFC 6152 §3-c] BODY is taken where 8BITMIME is offered.
            || (given.body == BodyType::EightBitMime && !on(offered.eight_bit_mime))
            || (given.auth.is_some() && !on(!self.config.auth.mechanisms.is_empty()))
            || (given.smtputf8 && !on(offered.smtputf8))
            || self.parameter_not_offered(given)
            || ((given.ret.is_some() || given.envelope_id.is_some()) && !on(offered.dsn));
        if self.needs_tls() {
            Some(FixedReply::NeedTls)
        } else if not_offered {
            Some(FixedReply::ParameterNotOffered)
        } else if !given.smtputf8 && !path.mailbox().is_none_or(Mailbox::is_ascii) {
            // [RFC 6531 §3.2-a] behind SMTPUTF8 any address may be beyond ASCII; without it
            // [RFC 6531 §3.5-b] 553 with 5.6.7.
            // [RFC 5321 §2.4-d] 8BITMIME alone is no leave for such an address.
            Some(FixedReply::NeedsSmtputf8)
        } else {
            None
        }
    }

    /// The same for what comes rarely.
    fn parameter_not_offered(&self, given: &MailParameters) -> bool {
        let offered = self.config.extensions;
        let on = |switch: bool| switch && self.esmtp;
        // [RFC 3030 §3] BINARYMIME is of use with CHUNKING alone.
        let binary_mime = on(offered.binary_mime && offered.chunking);
        (given.body == BodyType::BinaryMime && !binary_mime)
            || (!given.extensions.is_empty() && !self.esmtp)
            || (given.deliver_by.is_some() && !on(offered.deliver_by.is_some()))
            || (given.hold.is_some() && !on(offered.future_release.is_some()))
            || (given.mt_priority.is_some() && !on(offered.mt_priority))
            // [RFC 8689 §2] the parameter means nothing where TLS is not up.
            || (given.require_tls && !(on(offered.require_tls) && self.tls))
    }

    pub(super) fn rcpt<'i>(
        &mut self,
        forward_path: ForwardPath,
        parameters: RcptParameters,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        // [RFC 5321 §3.3-d] 503 without MAIL.
        if self.state != State::Envelope {
            return self.out_of_order(out);
        }
        if self.transaction.recipients >= self.config.limits.recipients_max {
            // [RFC 5321 §4.5.3.1.8-b, §4.5.3.1.10-a] those accepted so far stay accepted, so a
            // client that knows no LIMITS must get to its DATA however many it names.
            let surplus = self.transaction.surplus.saturating_add(1);
            self.transaction.surplus = surplus;
            let reply = FixedReply::TooManyRecipients;
            if surplus > SURPLUS_RECIPIENTS_MAX {
                return self.chatter(reply, out);
            }
            self.say_fixed(reply, out);
            return Turn::consumed(0);
        }
        let given = parameters.notify.is_some() || parameters.original_recipient.is_some();
        let offered = self.config.extensions;
        let not_offered = (given && !(offered.dsn && self.esmtp))
            || (parameters.valid_since.is_some() && !(offered.rrvs && self.esmtp))
            || (!parameters.extensions.is_empty() && !self.esmtp);
        if not_offered {
            return self.error(FixedReply::ParameterNotOffered, out);
        }
        let ascii = forward_path.mailbox().is_none_or(Mailbox::is_ascii);
        if !self.transaction.smtputf8 && !ascii {
            return self.error(FixedReply::NeedsSmtputf8, out);
        }
        // [RFC 3461 §5.1-a, §5.1-c] what is asked for reports goes along, and decides nothing.
        self.ask(Open::Rcpt, Event::Rcpt { forward_path, parameters })
    }

    /// Whether a value is outside what EHLO said of it.
    fn beyond_limits(&self, given: &MailParameters) -> bool {
        let offered = self.config.extensions;
        // [RFC 2852 §4] a message that would have to be returned sooner than is promised here.
        let too_soon = given.deliver_by.zip(offered.deliver_by).is_some_and(|(by, min)| {
            by.mode() == DeliverByMode::Return && i64::from(by.seconds()) < i64::from(min)
        });
        // [RFC 4865 §4.2] a message that would have to be held for longer.
        let too_late =
            given.hold.zip(offered.future_release).is_some_and(|(hold, max)| match hold {
                FutureRelease::For(interval) => interval > max.interval_max,
                FutureRelease::Until(moment) => moment > max.until_max,
            });
        too_soon || too_late
    }
}
