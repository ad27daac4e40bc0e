//! A transaction in progress: what is asked, what was answered, and what became of each recipient.

use std::collections::VecDeque;
use std::time::Duration;

use transom_types::{
    AttemptStage, EnhancedStatusCode, Host, MailParameters, Outcome, Recipient, RecipientResult,
    RemoteHost, Reply, ReplyCode, ReversePath, Severity, Status,
};

use super::content::{Encoder, Transfer};
use super::passing::Passing;
use super::transaction::{fits_domains, recipient_refusal, refusal, refuse};
use super::{
    ClientMisuse, ClientTimeouts, NotPassed, RefusalReason, Transaction, TransactionRefused,
    findings,
};
use crate::Protocol;
use crate::codec::Command;
use crate::codec::ehlo::Capabilities;

/// No command is added to a group that is as long as this. Few messages need a second group.
///
/// [RFC 2920 §3.1-d] so much goes into the buffers of any connection, and the replies to it as
/// well: neither side can wait for the other to read.
const GROUP_OCTETS_MAX: usize = 16 * 1024;

/// What of the session a transaction depends on.
pub(super) struct Terms<'a> {
    pub(super) offered: &'a Capabilities,
    pub(super) is_secure: bool,
    pub(super) is_authenticated: bool,
    pub(super) protocol: Protocol,
    pub(super) recipients_max: usize,
}

/// A command of the transaction's beginning.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Mail,
    /// The recipient at this place of the transaction.
    Rcpt(usize),
    Data,
}

#[derive(Debug)]
enum Slot {
    /// Not answered yet.
    Open,
    /// The peer takes mail for it.
    Accepted,
    Ended(Outcome),
}

#[derive(Debug)]
enum Phase {
    /// MAIL, RCPT, DATA.
    Commands,
    Content {
        encoder: Encoder,
        announced: bool,
        progressed: bool,
    },
    /// The end of the content was handed out.
    EndOfData,
}

/// A transaction in progress.
#[derive(Debug)]
pub(super) struct Active {
    reverse_path: ReversePath,
    parameters: MailParameters,
    recipients: Vec<(u32, Recipient)>,
    slots: Vec<Slot>,
    protocol: Protocol,
    transfer: Transfer,
    pipelined: bool,
    to_ask: VecDeque<Ask>,
    unanswered: VecDeque<Ask>,
    /// Chunks without reply; the last one is not counted.
    chunks_unanswered: usize,
    phase: Phase,
}

/// What a reply led to.
pub(super) enum Progress {
    /// On with the dialog.
    Continue,
    /// The peer waits for the content.
    SendContent,
    /// Every recipient has its outcome.
    Ended(After),
    /// The reply was not asked for.
    Unasked,
    /// The reply cannot answer this command.
    Wrong { command: &'static str },
}

/// What is left to do with the peer when a transaction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing.
    Ready,
    /// So many replies still come; then RSET.
    Reset { unanswered: usize },
    /// The peer waits for the content of a message without recipients: a lone dot.
    LoneDot,
    /// How many replies still come is not known.
    Close,
}

impl Active {
    /// Gives the transaction and what the peer is not told of it. `domains` are those of the
    /// session so far.
    pub(super) fn new(
        transaction: Transaction,
        terms: &Terms<'_>,
        domains: &mut Vec<Host>,
    ) -> Result<(Self, Vec<NotPassed>), TransactionRefused> {
        let offered = terms.offered;
        if let Some(reason) = refusal(&transaction, offered, terms.is_secure) {
            return Err(refuse(transaction, reason));
        }
        let mut domains_then = domains.clone();
        let slots = slots(&transaction, terms, &mut domains_then)?;
        *domains = domains_then;
        let open = |(at, slot): (usize, &Slot)| matches!(slot, Slot::Open).then_some(Ask::Rcpt(at));
        let asked: Vec<Ask> = slots.iter().enumerate().filter_map(open).collect();
        let transfer = Transfer::of(&transaction, offered);
        let data = (!transfer.is_chunked()).then_some(Ask::Data);
        let mut passing = Passing::new(&transaction, offered, terms.is_authenticated);
        let parameters = passing.mail(&transaction);
        let mut recipients = transaction.recipients;
        for (_, recipient) in &mut recipients {
            recipient.parameters = passing.rcpt(std::mem::take(&mut recipient.parameters));
        }
        let active = Self {
            parameters,
            reverse_path: transaction.reverse_path,
            recipients,
            slots,
            protocol: terms.protocol,
            transfer,
            pipelined: offered.pipelining,
            to_ask: std::iter::once(Ask::Mail).chain(asked).chain(data).collect(),
            unanswered: VecDeque::new(),
            chunks_unanswered: 0,
            phase: Phase::Commands,
        };
        Ok((active, passing.not_passed))
    }

    /// Whether commands can go out now.
    pub(super) fn wants_to_ask(&self) -> bool {
        self.unanswered.is_empty() && !self.to_ask.is_empty()
    }

    /// A group where the peer takes that, else one command.
    pub(super) fn write_commands(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        while let Some(ask) = self.to_ask.pop_front() {
            self.write_command(ask, out);
            self.unanswered.push_back(ask);
            // [RFC 5321 §3.3-g, §4.1.4-g, §4.3.1-a] in this order, and each reply is awaited
            // [RFC 2920 §3.1-a] but where the peer takes groups: DATA is the last of one.
            let written = out.len().saturating_sub(start);
            if !self.pipelined || written >= GROUP_OCTETS_MAX {
                return;
            }
        }
    }

    fn write_command(&self, ask: Ask, out: &mut Vec<u8>) {
        match ask {
            Ask::Mail => Command::Mail {
                reverse_path: self.reverse_path.clone(),
                parameters: self.parameters.clone(),
            }
            .write_to(out),
            Ask::Rcpt(at) => {
                let Some((_, recipient)) = self.recipients.get(at) else { return };
                let Recipient { forward_path, parameters } = recipient.clone();
                Command::Rcpt { forward_path, parameters }.write_to(out);
            }
            Ask::Data => Command::Data.write_to(out),
        }
    }

    /// Takes the reply to the oldest command that has none.
    pub(super) fn on_reply(&mut self, reply: &Reply, remote: &RemoteHost) -> Progress {
        match self.phase {
            // [RFC 2920 §3.1-b, §3.1-c] replies answer commands in their order, each by itself.
            Phase::Commands => match self.unanswered.pop_front() {
                Some(ask) => self.on_command_reply(ask, reply, remote),
                None => Progress::Unasked,
            },
            Phase::Content { .. } | Phase::EndOfData if self.chunks_unanswered > 0 => {
                self.on_chunk_reply(reply, remote)
            }
            // Some servers refuse a content as soon as they find it too large. Whether a reply to
            // its end would follow nobody knows.
            Phase::Content { .. } if is_refusal(reply) => {
                self.end_accepted(AttemptStage::Content, reply, remote);
                Progress::Ended(After::Close)
            }
            Phase::Content { .. } => Progress::Unasked,
            Phase::EndOfData => {
                if reply.code().severity() == Severity::PositiveIntermediate {
                    return Progress::Wrong { command: "end of data" };
                }
                self.on_verdict(reply, remote);
                if self.has_accepted() { Progress::Continue } else { Progress::Ended(After::Ready) }
            }
        }
    }

    fn on_verdict(&mut self, reply: &Reply, remote: &RemoteHost) {
        match self.protocol {
            // [RFC 1870 §6.2-a] 452 and 552 come here as well.
            Protocol::Smtp => self.end_accepted(AttemptStage::EndOfData, reply, remote),
            // [RFC 2033 §5-b] a reply for each accepted recipient, in the order of their RCPT.
            Protocol::Lmtp => {
                let mut slots = self.slots.iter_mut();
                if let Some(slot) = slots.find(|slot| matches!(slot, Slot::Accepted)) {
                    let status =
                        Status::remote(AttemptStage::EndOfData, reply.clone(), remote.clone());
                    *slot = Slot::Ended(verdict(status));
                }
            }
        }
    }

    fn on_command_reply(&mut self, ask: Ask, reply: &Reply, remote: &RemoteHost) -> Progress {
        let severity = reply.code().severity();
        match (ask, severity) {
            (Ask::Mail, Severity::PositiveIntermediate) => {
                return Progress::Wrong { command: "MAIL" };
            }
            (Ask::Rcpt(_), Severity::PositiveIntermediate) => {
                return Progress::Wrong { command: "RCPT" };
            }
            (Ask::Data, Severity::PositiveCompletion) => {
                return Progress::Wrong { command: "DATA" };
            }
            (Ask::Mail, Severity::PositiveCompletion) => {}
            (Ask::Mail, _) => {
                self.end_open(AttemptStage::Mail, reply, remote);
                self.to_ask.clear();
            }
            (Ask::Rcpt(at), _) => self.on_rcpt_reply(at, reply, remote),
            // [RFC 5321 §3.3-e] 354, and nothing else, lets the content out.
            (Ask::Data, Severity::PositiveIntermediate) if self.has_accepted() => {
                return self.begin_content();
            }
            // [RFC 2033 §4.2] without recipients DATA fails in LMTP. Whether a dot would have a
            // reply nobody knows.
            (Ask::Data, Severity::PositiveIntermediate) if self.protocol == Protocol::Lmtp => {
                return Progress::Ended(After::Close);
            }
            // [RFC 2920 §3.1-f] a server may consent to DATA though it took no recipient.
            (Ask::Data, Severity::PositiveIntermediate) => return Progress::Ended(After::LoneDot),
            (Ask::Data, _) => self.end_accepted(AttemptStage::Data, reply, remote),
        }
        self.after_command_reply()
    }

    fn after_command_reply(&mut self) -> Progress {
        if !self.unanswered.is_empty() {
            return Progress::Continue;
        }
        let only_data_left = matches!(self.to_ask.front(), None | Some(Ask::Data));
        if only_data_left && !self.has_accepted() {
            return Progress::Ended(After::Reset { unanswered: 0 });
        }
        if self.to_ask.is_empty() && self.transfer.is_chunked() {
            return self.begin_content();
        }
        Progress::Continue
    }

    fn on_rcpt_reply(&mut self, at: usize, reply: &Reply, remote: &RemoteHost) {
        let Some(slot @ Slot::Open) = self.slots.get_mut(at) else { return };
        let mut status = Status::remote(AttemptStage::Rcpt, reply.clone(), remote.clone());
        *slot = match reply.code().severity() {
            Severity::PositiveCompletion => Slot::Accepted,
            // [RFC 5321 §4.5.3.1.10-b] some servers say 552 where 452 is meant: too many
            // recipients. An enhanced code about the mailbox or its size tells the two apart.
            Severity::PermanentNegative if means_too_many_recipients(reply) => {
                status.code = EnhancedStatusCode::transient(5, 3);
                Slot::Ended(Outcome::Deferred(status))
            }
            // [RFC 5321 §4.5.3.1-b] whatever the peer finds too large.
            _ => Slot::Ended(verdict(status)),
        };
    }

    fn on_chunk_reply(&mut self, reply: &Reply, remote: &RemoteHost) -> Progress {
        self.chunks_unanswered = self.chunks_unanswered.saturating_sub(1);
        match reply.code().severity() {
            Severity::PositiveCompletion => Progress::Continue,
            Severity::PositiveIntermediate => Progress::Wrong { command: "BDAT" },
            Severity::TransientNegative | Severity::PermanentNegative => {
                // [RFC 3030 §2-f, §2-h] a refused chunk refuses the message; what was sent behind
                // it is refused too.
                self.end_accepted(AttemptStage::Content, reply, remote);
                let ended = matches!(self.phase, Phase::EndOfData);
                // [RFC 2033 §4.3] the last chunk has a reply for each recipient, and where the
                // message is refused already perhaps one.
                if ended && self.protocol == Protocol::Lmtp {
                    return Progress::Ended(After::Close);
                }
                let unanswered = self.chunks_unanswered.saturating_add(usize::from(ended));
                Progress::Ended(After::Reset { unanswered })
            }
        }
    }

    fn begin_content(&mut self) -> Progress {
        let encoder = self.transfer.encoder();
        self.phase = Phase::Content { encoder, announced: false, progressed: false };
        Progress::SendContent
    }

    /// The mark that the driver was told of the peer's consent to the content.
    pub(super) fn content_announced(&mut self) -> Option<&mut bool> {
        match &mut self.phase {
            Phase::Content { announced, .. } => Some(announced),
            Phase::Commands | Phase::EndOfData => None,
        }
    }

    /// Whether content was written since the last call.
    pub(super) fn take_progress(&mut self) -> bool {
        match &mut self.phase {
            Phase::Content { progressed, .. } => std::mem::take(progressed),
            Phase::Commands | Phase::EndOfData => false,
        }
    }

    pub(super) fn write_content(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ClientMisuse> {
        let Phase::Content { encoder, progressed, .. } = &mut self.phase else {
            return Err(ClientMisuse::NoContentExpected);
        };
        if !encoder.may_hold(piece) {
            return Err(ClientMisuse::NulInContent);
        }
        *progressed = true;
        let chunks = encoder.write(piece, out);
        self.chunks_unanswered = self.chunks_unanswered.saturating_add(chunks);
        Ok(())
    }

    pub(super) fn end_content(&mut self, out: &mut Vec<u8>) -> Result<(), ClientMisuse> {
        let Phase::Content { encoder, .. } = &self.phase else {
            return Err(ClientMisuse::NoContentExpected);
        };
        encoder.finish(out);
        self.phase = Phase::EndOfData;
        Ok(())
    }

    pub(super) fn stage(&self) -> AttemptStage {
        match self.phase {
            Phase::Commands => match self.unanswered.front().or_else(|| self.to_ask.front()) {
                Some(Ask::Mail) | None => AttemptStage::Mail,
                Some(Ask::Rcpt(_)) => AttemptStage::Rcpt,
                Some(Ask::Data) => AttemptStage::Data,
            },
            Phase::Content { .. } => AttemptStage::Content,
            Phase::EndOfData => AttemptStage::EndOfData,
        }
    }

    /// How long the peer may take for what it owes us now.
    // [RFC 5321 §4.5.3.2-a, §4.5.3.2-b, §4.5.3.2.5-a, §4.5.4-a] each command and piece by itself.
    pub(super) fn timeout(&self, timeouts: &ClientTimeouts) -> Duration {
        match self.stage() {
            AttemptStage::Rcpt => timeouts.rcpt,
            AttemptStage::Data => timeouts.data,
            AttemptStage::Content => timeouts.content_block,
            AttemptStage::EndOfData => timeouts.end_of_data,
            _ => timeouts.mail,
        }
    }

    /// Whether the peer may have the message without our knowing.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self.phase, Phase::EndOfData)
    }

    /// 421 at any time. In LMTP, and where the peer gives its verdicts, it is that on one recipient
    /// alone; the others stay without.
    pub(super) fn on_shutdown(&mut self, reply: &Reply, remote: &RemoteHost) {
        if self.protocol == Protocol::Lmtp && self.is_in_doubt() && self.chunks_unanswered == 0 {
            self.on_verdict(reply, remote);
        } else {
            let stage = self.stage();
            self.end_open(stage, reply, remote);
            self.end_accepted(stage, reply, remote);
        }
    }

    /// The results; `rest` is the outcome of every recipient that has none yet.
    pub(super) fn into_results(self, rest: Option<&Outcome>) -> Vec<RecipientResult> {
        let give = |((place, _), slot): ((u32, Recipient), Slot)| {
            let outcome = match (slot, rest) {
                (Slot::Ended(outcome), _) => outcome,
                (Slot::Open | Slot::Accepted, Some(rest)) => rest.clone(),
                (Slot::Open | Slot::Accepted, None) => findings::no_answer(AttemptStage::Rcpt),
            };
            RecipientResult { recipient: place, outcome }
        };
        self.recipients.into_iter().zip(self.slots).map(give).collect()
    }

    fn has_accepted(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::Accepted))
    }

    fn end_open(&mut self, stage: AttemptStage, reply: &Reply, remote: &RemoteHost) {
        for slot in &mut self.slots {
            if matches!(slot, Slot::Open) {
                let status = Status::remote(stage, reply.clone(), remote.clone());
                *slot = Slot::Ended(verdict(status));
            }
        }
    }

    fn end_accepted(&mut self, stage: AttemptStage, reply: &Reply, remote: &RemoteHost) {
        for slot in &mut self.slots {
            if matches!(slot, Slot::Accepted) {
                let status = Status::remote(stage, reply.clone(), remote.clone());
                *slot = Slot::Ended(verdict(status));
            }
        }
    }
}

fn is_refusal(reply: &Reply) -> bool {
    matches!(reply.code().severity(), Severity::TransientNegative | Severity::PermanentNegative)
}

/// [RFC 5321 §4.2-b] what the peer's words mean for a recipient is in their code alone.
fn verdict(status: Status) -> Outcome {
    RecipientResult::from_status(0, status).outcome
}

fn means_too_many_recipients(reply: &Reply) -> bool {
    let about_size = |code: EnhancedStatusCode| matches!(code.subject(), 2 | 3);
    reply.code() == ReplyCode::EXCEEDED_STORAGE && !reply.enhanced().is_some_and(about_size)
}

/// One slot a recipient; some have their outcome before the peer hears of them. An error where no
/// recipient is left that could be asked about.
fn slots(
    transaction: &Transaction,
    terms: &Terms<'_>,
    domains: &mut Vec<Host>,
) -> Result<Vec<Slot>, TransactionRefused> {
    let (mut slots, mut results, mut first) = (Vec::new(), Vec::new(), None);
    let mut asked = 0usize;
    for (place, recipient) in &transaction.recipients {
        let mut reason = recipient_refusal(recipient, terms.offered);
        if reason.is_none() && asked < terms.recipients_max {
            let fits = fits_domains(recipient, terms.offered, domains);
            reason = (!fits).then_some(RefusalReason::RecipientDomains);
        }
        let outcome = match reason {
            Some(reason) => findings::refused(reason),
            None if asked >= terms.recipients_max => findings::next_transaction(),
            None => {
                asked = asked.saturating_add(1);
                slots.push(Slot::Open);
                continue;
            }
        };
        first = first.or(reason);
        results.push(RecipientResult { recipient: *place, outcome: outcome.clone() });
        slots.push(Slot::Ended(outcome));
    }
    match first {
        Some(reason) if asked == 0 => Err(TransactionRefused { reason, results }),
        _ => Ok(slots),
    }
}
