//! Commands that ask for something other than a transaction: EXPN, ETRN, XCLIENT, XFORWARD, and
//! the verbs of the host program.

use super::{Event, FixedReply, Open, ServerSession, State, Turn};
use crate::codec::{Argument, Verb, XclientAttributes, XforwardAttributes};

impl ServerSession {
    pub(super) fn expn<'i>(&mut self, argument: Argument<'static>, out: &mut Vec<u8>) -> Turn<'i> {
        if !self.config.extensions.expn {
            return self.error(FixedReply::NotImplemented, out);
        }
        if self.needs_tls() {
            return self.error(FixedReply::NeedTls, out);
        }
        match self.junk(out) {
            Some(turn) => turn,
            None => self.ask(Open::Expn, Event::Expn { argument }),
        }
    }

    pub(super) fn etrn<'i>(&mut self, argument: Argument<'static>, out: &mut Vec<u8>) -> Turn<'i> {
        if !self.config.extensions.etrn {
            return self.error(FixedReply::NotImplemented, out);
        }
        if let Some(refusal) = self.request_refusal() {
            return self.error(refusal, out);
        }
        if self.needs_tls() {
            return self.error(FixedReply::NeedTls, out);
        }
        match self.junk(out) {
            Some(turn) => turn,
            None => self.ask(Open::Etrn, Event::Etrn { argument }),
        }
    }

    /// A verb of the host program, which alone knows whether it may stand in a transaction.
    pub(super) fn extension<'i>(
        &mut self,
        verb: Verb<'static>,
        argument: Option<Argument<'static>>,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        match self.state {
            State::Identified | State::Envelope if self.esmtp => {}
            State::Chunks => return self.error(FixedReply::ChunksBegun, out),
            _ => return self.error(FixedReply::SendHello, out),
        }
        if self.needs_tls() {
            return self.error(FixedReply::NeedTls, out);
        }
        match self.junk(out) {
            Some(turn) => turn,
            None => self.ask(Open::Extension, Event::Extension { verb, argument }),
        }
    }

    pub(super) fn xclient<'i>(
        &mut self,
        attributes: Box<XclientAttributes>,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if !self.config.extensions.xclient {
            return self.error(FixedReply::NotTrusted, out);
        }
        // A proxy knows its client before it says who it is itself.
        if matches!(self.state, State::Envelope | State::Chunks) {
            return self.error(FixedReply::InTransaction, out);
        }
        let address = match attributes.address {
            Some(told) => told.known(),
            None => self.client_address,
        };
        self.ask(Open::Xclient { address }, Event::Xclient { attributes })
    }

    pub(super) fn xforward<'i>(
        &mut self,
        attributes: Box<XforwardAttributes>,
        out: &mut Vec<u8>,
    ) -> Turn<'i> {
        if !self.config.extensions.xforward {
            return self.error(FixedReply::NotTrusted, out);
        }
        match self.request_refusal() {
            Some(refusal) => self.error(refusal, out),
            None => self.ask(Open::Xforward, Event::Xforward { attributes }),
        }
    }

    /// These stand behind EHLO and outside a transaction.
    fn request_refusal(&self) -> Option<FixedReply> {
        match self.state {
            State::Identified if self.esmtp => None,
            State::Envelope | State::Chunks => Some(FixedReply::InTransaction),
            _ => Some(FixedReply::SendHello),
        }
    }
}
