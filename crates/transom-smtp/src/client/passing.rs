//! What stands behind MAIL and RCPT: of what is asked for a message, the part that the peer
//! offers.

use transom_types::{
    BodyType, ExtensionParameter, MailParameters, RcptParameters, RequireRecipientValidSince,
    Submitter,
};

use super::transaction::{NotPassed, Transaction, needs_smtputf8};
use crate::codec::ehlo::Capabilities;

/// Picks what is passed, and notes what is not.
///
/// [RFC 5321 §4.1.1.3-c] no parameter goes to a server that does not offer its extension.
pub(super) struct Passing<'a> {
    offered: &'a Capabilities,
    smtputf8: bool,
    is_authenticated: bool,
    /// What was asked for and is not passed.
    pub(super) not_passed: Vec<NotPassed>,
}

impl<'a> Passing<'a> {
    pub(super) fn new(
        transaction: &Transaction,
        offered: &'a Capabilities,
        is_authenticated: bool,
    ) -> Self {
        let smtputf8 = offered.smtputf8 && needs_smtputf8(transaction);
        Self { offered, smtputf8, is_authenticated, not_passed: Vec::new() }
    }

    /// The parameters of MAIL.
    pub(super) fn mail(&mut self, transaction: &Transaction) -> MailParameters {
        let given = transaction.parameters.clone();
        let offered = self.offered;
        let mut passed = MailParameters::default();
        passed.size = offered.size.is_some().then_some(transaction.size);
        passed.body = match (transaction.is_binary(), transaction.eight_bit) {
            (true, _) => BodyType::BinaryMime,
            (false, true) => BodyType::EightBitMime,
            (false, false) => BodyType::SevenBit,
        };
        // [RFC 6531 §3.4-a] where something needs it.
        passed.smtputf8 = self.smtputf8;
        // That these can be passed was looked at before.
        passed.require_tls = given.require_tls;
        passed.hold = given.hold;
        // [RFC 3461 §5.2.1-a, §5.2.1-b, §5.2.2-a] as they came, and nowhere but to DSN.
        passed.envelope_id = self.pass(given.envelope_id, offered.dsn, NotPassed::Dsn);
        passed.ret = self.pass(given.ret, offered.dsn, NotPassed::Dsn);
        // [RFC 4954 §5] told to any server that offers AUTH, logged in or not.
        // [RFC 4954 §5-d, §5-f] A server that we have logged in to must not take us for the one.
        let submitter = given.auth.or_else(|| self.is_authenticated.then_some(Submitter::Unknown));
        passed.auth = self.pass(submitter, !offered.auth.is_empty(), NotPassed::Auth);
        let by = offered.deliver_by.is_some();
        passed.deliver_by = self.pass(given.deliver_by, by, NotPassed::DeliverBy);
        let priority = offered.mt_priority.is_some();
        passed.mt_priority = self.pass(given.mt_priority, priority, NotPassed::MtPriority);
        passed.extensions = self.extensions(given.extensions);
        passed
    }

    /// The parameters of RCPT.
    pub(super) fn rcpt(&mut self, given: RcptParameters) -> RcptParameters {
        let offered = self.offered;
        let mut passed = RcptParameters::default();
        // [RFC 3461 §5.2.1-c, §5.2.1-d] as they came.
        passed.notify = self.pass(given.notify, offered.dsn, NotPassed::Dsn);
        let original_recipient = given.original_recipient;
        passed.original_recipient = self.pass(original_recipient, offered.dsn, NotPassed::Dsn);
        let since: Option<RequireRecipientValidSince> = given.valid_since;
        passed.valid_since = self.pass(since, offered.rrvs, NotPassed::Rrvs);
        passed.extensions = self.extensions(given.extensions);
        passed
    }

    fn pass<T>(&mut self, asked: Option<T>, is_offered: bool, name: NotPassed) -> Option<T> {
        if asked.is_some() && !is_offered {
            self.note(name);
        }
        asked.filter(|_| is_offered)
    }

    /// A parameter of the host program's belongs to the EHLO keyword of the same name.
    fn extensions(&mut self, asked: Vec<ExtensionParameter>) -> Vec<ExtensionParameter> {
        let (passed, not_passed): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|parameter| self.may_pass(parameter));
        for parameter in not_passed {
            self.note(NotPassed::Extension(parameter.keyword().into()));
        }
        passed
    }

    fn may_pass(&self, parameter: &ExtensionParameter) -> bool {
        let keyword = |line: &String| {
            let first = line.split_ascii_whitespace().next();
            first.is_some_and(|word| word.eq_ignore_ascii_case(parameter.keyword()))
        };
        // [RFC 6531 §3.4] UTF-8 stands in a command only where SMTPUTF8 was said.
        let is_ascii = parameter.value().is_none_or(str::is_ascii);
        self.offered.other.iter().any(keyword) && (is_ascii || self.smtputf8)
    }

    fn note(&mut self, name: NotPassed) {
        if !self.not_passed.contains(&name) {
            self.not_passed.push(name);
        }
    }
}
