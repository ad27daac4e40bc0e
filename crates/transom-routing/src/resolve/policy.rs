//! Who may send to whom, and how much.

use std::collections::HashSet;

use transom_agent::{RecipientKind, RecipientPolicy};
use transom_types::Mailbox;

use super::RecipientRefusal;
use super::answers::address_key;
use super::search::{Look, Open, Search, Sender};

impl Search<'_> {
    /// Why the sender may not send a message of this size to so many recipients.
    pub(super) fn sender_refusal(
        &self,
        sender: &Sender<'_>,
        recipients: usize,
    ) -> Option<RecipientRefusal> {
        let resolution = self.resolution;
        if resolution.system {
            return None;
        }
        let policy = sender.policy;
        let own = policy.and_then(|policy| policy.send_recipients_max);
        let recipients_max = own.unwrap_or(resolution.limits.recipients_max);
        let is_limited = own.is_some() || recipients_max != 0;
        if is_limited && u32::try_from(recipients).map_or(true, |count| count > recipients_max) {
            return Some(RecipientRefusal::RecipientsMax { recipients_max });
        }
        let octets_max = policy.and_then(|policy| policy.send_octets_max)?;
        (resolution.size? > octets_max).then_some(RecipientRefusal::SendSize { octets_max })
    }

    /// Why `mailbox`, which has this policy, takes no mail from the sender.
    pub(super) fn refusal(
        &mut self,
        policy: &RecipientPolicy,
        mailbox: &Mailbox,
        sender: &Sender<'_>,
    ) -> Result<Option<RecipientRefusal>, Open> {
        // [RFC 5321 §4.5.1] whoever is shut out can still reach the postmaster.
        if self.resolution.system || is_postmaster(mailbox) {
            return Ok(None);
        }
        if policy.authenticated_only && !self.resolution.authenticated {
            return Ok(Some(RecipientRefusal::AuthenticationRequired));
        }
        if let (Some(octets_max), Some(size)) = (policy.receive_octets_max, self.resolution.size)
            && size > octets_max
        {
            return Ok(Some(RecipientRefusal::ReceiveSize { octets_max }));
        }
        if self.is_listed(&policy.reject_from, sender)? {
            return Ok(Some(RecipientRefusal::NotAuthorized));
        }
        let is_open = policy.accept_only_from.is_empty();
        let is_let_in =
            is_open || (sender.is_believed && self.is_listed(&policy.accept_only_from, sender)?);
        Ok((!is_let_in).then_some(RecipientRefusal::NotAuthorized))
    }

    /// Whether the sender is in the list, itself or as a member of a group in it.
    fn is_listed(&mut self, list: &[Mailbox], sender: &Sender<'_>) -> Result<bool, Open> {
        if sender.is_null() {
            return Ok(false);
        }
        // Who is named needs no lookup.
        if list.iter().any(|entry| sender.is(&address_key(entry))) {
            return Ok(true);
        }
        let members_max = self.resolution.limits.expanded_recipients_max;
        let members_max = usize::try_from(members_max).unwrap_or(usize::MAX);
        let (mut open, mut seen) = (None, HashSet::new());
        let mut waiting: Vec<&Mailbox> = list.iter().rev().collect();
        while let Some(mailbox) = waiting.pop() {
            let key = address_key(mailbox);
            if sender.is(&key) {
                return Ok(true);
            }
            if seen.contains(&key) {
                continue;
            }
            if seen.len() >= members_max {
                let recipients_max = self.resolution.limits.expanded_recipients_max;
                return Err(Open::Refused(RecipientRefusal::ExpandedRecipientsMax {
                    recipients_max,
                }));
            }
            match self.look(mailbox, &key) {
                Ok(Look::Entry(entry)) => match &entry.kind {
                    RecipientKind::Alias(primary) => waiting.push(primary),
                    RecipientKind::Group(group) => waiting.extend(group.members.iter().rev()),
                    _ => {}
                },
                Ok(_) => {}
                // The others may be missing too, and then all are asked for at once.
                Err(Open::Missing) => open = Some(Open::Missing),
                Err(other) => open = open.or(Some(other)),
            }
            seen.insert(key);
        }
        open.map_or(Ok(false), Err)
    }
}

/// Whether this is the reserved mailbox of a domain.
pub(super) fn is_postmaster(mailbox: &Mailbox) -> bool {
    mailbox.local_part().as_str().eq_ignore_ascii_case("postmaster")
}
