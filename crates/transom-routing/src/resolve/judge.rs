//! The two questions about recipients: may this one be taken, and who gets the message?

use std::collections::HashSet;

use transom_agent::{DirectoryUnavailable, GroupReports};
use transom_types::{
    ForwardPath, Host, LocalPart, Mailbox, Notify, OriginalRecipient, RcptParameters, Recipient,
};

use super::answers::address_key;
use super::search::{Open, Search, Sender};
use super::walk::{Node, Reach, Walk};
use super::{
    Answers, DroppedCopy, FailedRecipient, RecipientRefusal, Resolution, ResolutionEnd,
    ResolutionStep, Resolved, ResolvedRecipient, Step,
};

impl Resolution<'_> {
    /// Whether `path` is taken at RCPT, where so many recipients were taken `before` in the
    /// transaction. All is judged that can be known then, so that little is left to report later:
    /// who is behind other names and forwarding, whether a group has members, and all policies of
    /// these. Members of groups are not looked up.
    ///
    /// Asked again with the size at the end of data, it judges by the size as well.
    pub fn judge(
        &self,
        path: &ForwardPath,
        before: u32,
        answers: &Answers,
    ) -> Step<Result<(), RecipientRefusal>> {
        let mut search = Search::new(self, answers);
        let sender = match Sender::find(&mut search) {
            Ok(sender) => sender,
            Err(open) => return unjudged(search, open),
        };
        let recipients = usize::try_from(before).unwrap_or(usize::MAX).saturating_add(1);
        if let Some(refusal) = search.sender_refusal(&sender, recipients) {
            return Step::Done(Err(refusal));
        }
        let Some((root, is_reserved)) = self.root(path) else {
            return Step::Done(Err(RecipientRefusal::Unknown));
        };
        let walk = Walk::from(&mut search, &sender, root, is_reserved, Reach::Itself);
        if let Some((_, refusal)) = walk.failures.into_iter().next() {
            return Step::Done(Err(refusal));
        }
        match walk.unavailable {
            Some(unavailable) => unjudged(search, Open::Unavailable(unavailable)),
            None if search.is_missing() => search.lookup(),
            None => Step::Done(Ok(())),
        }
    }

    /// Who gets the message that was sent to `recipients`.
    pub fn resolve(&self, recipients: &[Recipient], answers: &Answers) -> Step<Resolved> {
        let mut search = Search::new(self, answers);
        let refused = match Sender::find(&mut search) {
            Ok(sender) => search
                .sender_refusal(&sender, recipients.len())
                .map_or(Ok(sender), |refusal| Err(ResolutionEnd::Failed(refusal))),
            Err(Open::Missing) => return search.lookup(),
            Err(Open::Refused(refusal)) => Err(ResolutionEnd::Failed(refusal)),
            Err(Open::Unavailable(unavailable)) => Err(ResolutionEnd::Deferred(unavailable)),
        };
        let sender = match refused {
            Ok(sender) => sender,
            Err(end) => {
                let ends = vec![end; recipients.len()];
                return Step::Done(Resolved { ends, ..Resolved::default() });
            }
        };
        let mut walks = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            walks.push(self.root(&recipient.forward_path).map(|(root, is_reserved)| {
                Walk::from(&mut search, &sender, root, is_reserved, Reach::Everybody)
            }));
        }
        if search.is_missing() {
            return search.lookup();
        }
        Step::Done(self.collect(recipients, &walks))
    }

    /// The mailbox that a path means, and whether it exists by itself. None where no address can
    /// be made of it.
    fn root(&self, path: &ForwardPath) -> Option<(Mailbox, bool)> {
        match path {
            ForwardPath::Mailbox(mailbox) => Some((mailbox.clone(), false)),
            ForwardPath::Postmaster => {
                let domain = self.configuration.default_domain().clone();
                let local_part: LocalPart = "postmaster".parse().ok()?;
                Some((Mailbox::new(&local_part, &Host::Domain(domain)), true))
            }
        }
    }

    fn collect(&self, recipients: &[Recipient], walks: &[Option<Walk>]) -> Resolved {
        let is_report = self.sender.is_null();
        let mut resolved = Resolved::default();
        let mut ends: Vec<_> = walks.iter().map(|walk| end_of(walk.as_ref())).collect();
        self.fail_what_is_too_large(walks, &mut ends);
        let mut taken: HashSet<String> = self.already.iter().map(address_key).collect();
        // Who is named keeps the parameters that it was named with; groups come second.
        for is_named in [true, false] {
            for ((origin, recipient), (walk, end)) in
                (0u32..).zip(recipients).zip(walks.iter().zip(&ends))
            {
                let Some(walk) = walk.as_ref().filter(|_| end.is_none()) else { continue };
                let found = Found { walk, recipient, origin, is_report };
                for at in walk.leaves.iter().filter(|at| (**at == 0) == is_named) {
                    found.take(*at, &mut taken, &mut resolved);
                }
            }
        }
        resolved.recipients.sort_by_key(|to| to.origin);
        for ((origin, recipient), (walk, end)) in
            (0u32..).zip(recipients).zip(walks.iter().zip(&mut ends))
        {
            let Some(walk) = walk.as_ref().filter(|_| end.is_none()) else { continue };
            let found = Found { walk, recipient, origin, is_report };
            found.tell(&mut resolved);
            *end = Some(found.end(&resolved));
        }
        resolved.duplicates.sort_by_key(|duplicate| duplicate.origin);
        resolved.ends = ends.into_iter().map(|end| end.unwrap_or(ResolutionEnd::Kept)).collect();
        resolved
    }

    /// Groups of which the message would have too many recipients go nowhere, as a whole.
    fn fail_what_is_too_large(&self, walks: &[Option<Walk>], ends: &mut [Option<ResolutionEnd>]) {
        let recipients_max = self.limits.expanded_recipients_max;
        let mut count = 0usize;
        for (walk, end) in walks.iter().zip(ends) {
            let Some(walk) = walk.as_ref().filter(|_| end.is_none()) else { continue };
            let with_it = count.saturating_add(walk.leaves.len());
            let fits = u32::try_from(with_it).is_ok_and(|with_it| with_it <= recipients_max);
            if walk.is_too_large || (walk.nodes.len() > 1 && !fits) {
                let refusal = RecipientRefusal::ExpandedRecipientsMax { recipients_max };
                *end = Some(ResolutionEnd::Failed(refusal));
            } else {
                count = with_it;
            }
        }
    }
}

/// A directory in trouble puts a recipient off.
fn unjudged(search: Search<'_>, open: Open) -> Step<Result<(), RecipientRefusal>> {
    match open {
        Open::Missing => search.lookup(),
        Open::Refused(refusal) => Step::Done(Err(refusal)),
        Open::Unavailable(DirectoryUnavailable { reason, .. }) => {
            Step::Done(Err(RecipientRefusal::DirectoryUnavailable { reason }))
        }
    }
}

/// The end of a recipient as far as its walk alone tells it.
fn end_of(walk: Option<&Walk>) -> Option<ResolutionEnd> {
    let Some(walk) = walk else { return Some(ResolutionEnd::Failed(RecipientRefusal::Unknown)) };
    if let Some(unavailable) = &walk.unavailable {
        return Some(ResolutionEnd::Deferred(unavailable.clone()));
    }
    let is_direct = |at: usize| walk.nodes.get(at).is_some_and(|node| node.is_direct);
    let own = walk.failures.iter().find(|(at, _)| is_direct(*at)).map(|(_, refusal)| refusal);
    let nobody = walk.leaves.is_empty() && walk.failures.is_empty() && !walk.is_too_large;
    let refusal = own.or_else(|| nobody.then_some(&RecipientRefusal::EmptyGroup));
    refusal.map(|refusal| ResolutionEnd::Failed(refusal.clone()))
}

/// A recipient and everybody that it leads to.
struct Found<'w> {
    walk: &'w Walk,
    recipient: &'w Recipient,
    origin: u32,
    is_report: bool,
}

impl Found<'_> {
    /// Gives the message to a leaf that does not have it.
    fn take(&self, at: usize, taken: &mut HashSet<String>, resolved: &mut Resolved) {
        let Some(node) = self.walk.nodes.get(at) else { return };
        let origin = self.origin;
        let history = self.walk.history(at);
        if taken.insert(node.key.clone()) {
            let (recipient, reports_to) = self.for_node(node);
            resolved.recipients.push(ResolvedRecipient { recipient, origin, reports_to, history });
        } else {
            let mailbox = node.mailbox.clone();
            resolved.duplicates.push(DroppedCopy { mailbox, origin, history });
        }
    }

    /// Tells what failed, what was come upon twice, and which steps were taken.
    fn tell(&self, resolved: &mut Resolved) {
        let (walk, origin) = (self.walk, self.origin);
        for (at, refusal) in &walk.failures {
            let Some(node) = walk.nodes.get(*at) else { continue };
            let (recipient, reports_to) = self.for_node(node);
            let (history, refusal) = (walk.history(*at), refusal.clone());
            let failed = FailedRecipient { recipient, origin, reports_to, history, refusal };
            resolved.failed.push(failed);
        }
        let dropped = |(mailbox, parent): &(Mailbox, usize)| {
            let mut history = walk.history(*parent);
            history.extend(walk.nodes.get(*parent).map(|node| node.mailbox.clone()));
            DroppedCopy { mailbox: mailbox.clone(), origin, history }
        };
        resolved.duplicates.extend(walk.duplicates.iter().map(dropped));
        resolved.not_forwarded.extend(walk.not_forwarded.iter().map(dropped));
        for (kind, at, to) in &walk.steps {
            let Some(node) = walk.nodes.get(*at) else { continue };
            let (kind, from, to) = (*kind, node.mailbox.clone(), to.clone());
            resolved.steps.push(ResolutionStep { kind, from, to, origin });
        }
    }

    fn end(&self, resolved: &Resolved) -> ResolutionEnd {
        let mut own = resolved.recipients.iter().filter(|to| to.origin == self.origin).peekable();
        let has_any = own.peek().is_some() || !self.walk.failures.is_empty();
        if own.any(|to| to.history.is_empty()) {
            ResolutionEnd::Kept
        } else if self.walk.is_group {
            let success_report_due = self.recipient.parameters.notify_or_default().success();
            ResolutionEnd::Expanded { success_report_due }
        } else if has_any {
            ResolutionEnd::Redirected
        } else {
            ResolutionEnd::Duplicate
        }
    }

    /// The recipient as it stands in the copy for `node`, and who hears of failures.
    fn for_node(&self, node: &Node) -> (Recipient, Option<Mailbox>) {
        if node.parent.is_none() {
            return (self.recipient.clone(), None);
        }
        let mut parameters = RcptParameters::default();
        let asked = self.recipient.parameters.notify;
        let without_success = |notify: Notify| Notify::new(false, notify.failure(), notify.delay());
        let (notify, reports_to) = match &node.passage.reports {
            // [RFC 3461 §5.2.7.1-b] members of a list get parameters of the list's own.
            GroupReports::Owner(owner) if !self.is_report => {
                (Some(Notify::new(false, true, false)), Some(owner.clone()))
            }
            GroupReports::Nobody => (Some(Notify::NEVER), None),
            _ if node.passage.success => (asked, None),
            _ => (asked.map(without_success), None),
        };
        parameters.notify = notify;
        if reports_to.is_none() {
            parameters.original_recipient = self.original_recipient();
        }
        if !node.passage.by_group {
            // RRVS asks about the owner of another address, so it does not go along.
            parameters.extensions.clone_from(&self.recipient.parameters.extensions);
        }
        let forward_path = ForwardPath::Mailbox(node.mailbox.clone());
        (Recipient { forward_path, parameters }, reports_to)
    }

    /// The address that the sender named.
    fn original_recipient(&self) -> Option<OriginalRecipient> {
        if let Some(original) = &self.recipient.parameters.original_recipient {
            return Some(original.clone());
        }
        let named = self.walk.nodes.first()?.mailbox.as_str();
        let original = if named.is_ascii() {
            OriginalRecipient::rfc822(named)
        } else {
            OriginalRecipient::utf8(named)
        };
        original.ok()
    }
}
