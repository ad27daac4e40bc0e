//! MAIL and RCPT: who may send what to whom.

use std::time::Duration;

use tokio::time::Instant;
use transom_agent::{AgentEvent, DirectoryUnavailable, MessagePlan, ReceiveStep};
use transom_queue::StoreError;
use transom_routing::resolve::{Answers, Resolution, Step};
use transom_types::{
    Domain, ForwardPath, Host, MailParameters, Mailbox, RcptParameters, Recipient, ReversePath,
};

use super::agents::sees_messages;
use super::intake::Intake;
use super::reception::Reception;
use super::refusal::{Answer, Refused, local_error, out_of_room};

/// How long the directory may think about a recipient: longer than any that works, shorter than
/// a client waits.
const DIRECTORY_TIMEOUT: Duration = Duration::from_mins(1);

pub(super) struct MailTransaction {
    pub(super) reverse_path: ReversePath,
    pub(super) parameters: MailParameters,
    /// As they were taken.
    pub(super) recipients: Vec<Recipient>,
    /// What agents make of it, where any are asked.
    pub(super) plan: Option<Box<MessagePlan>>,
    /// What the directory has said.
    answers: Answers,
    pub(super) intake: Option<Intake>,
}

impl Reception {
    pub(super) async fn mail(
        &mut self,
        reverse_path: ReversePath,
        parameters: MailParameters,
    ) -> Answer {
        let done = self.begin(reverse_path, parameters).await;
        if done.is_err() {
            self.transaction = None;
        }
        self.answer(AgentEvent::Mail, done).await
    }

    async fn begin(
        &mut self,
        reverse_path: ReversePath,
        parameters: MailParameters,
    ) -> Result<(), Refused> {
        self.check_sender(&reverse_path)?;
        self.spool_takes_mail().await?;
        self.check_rate()?;
        let plan = sees_messages(&self.core)
            .then(|| Box::new(MessagePlan::new(reverse_path.clone(), parameters.clone())));
        self.transaction = Some(Box::new(MailTransaction {
            reverse_path,
            parameters,
            recipients: Vec::new(),
            plan,
            answers: Answers::default(),
            intake: None,
        }));
        self.ask(ReceiveStep::Mail).await
    }

    fn check_sender(&self, path: &ReversePath) -> Result<(), Refused> {
        let connector = self.connector()?;
        let names: Vec<&str> = self.certificate_names.iter().map(Domain::as_str).collect();
        let user = self.view.principal.as_ref();
        let may_send_as = self.config.sends_as(connector, user, &names, path);
        self.config
            .accepts_sender(self.rights, path, may_send_as)
            .map_err(|refusal| self.refused_for(refusal))
    }

    /// Counts the message.
    fn check_rate(&self) -> Result<(), Refused> {
        let (now, peer) = (self.core.clock.now(), self.view.remote.ip());
        let user = self.view.principal.as_ref();
        self.places
            .accepts_message(now, self.connector()?, peer, user)
            .map_err(|refusal| self.refused_for(refusal))
    }

    /// The fuller and slower the disk, the fewer senders are taken, and the later.
    async fn spool_takes_mail(&self) -> Result<(), Refused> {
        let authenticated = self.view.principal.is_some();
        let pressure = self.core.spool.pressure();
        pressure.takes_mail(authenticated).map_err(|error| match error {
            StoreError::Full { resource } => self.refused("spool-full", out_of_room(resource)),
            _ => self.refused("spool", local_error()),
        })?;
        let delay = pressure.delay(authenticated);
        if !delay.is_zero() {
            self.core.pause(delay).await;
        }
        Ok(())
    }

    pub(super) async fn rcpt(
        &mut self,
        forward_path: ForwardPath,
        parameters: RcptParameters,
    ) -> Answer {
        let done = self.take_recipient(Recipient { forward_path, parameters }).await;
        self.answer(AgentEvent::Rcpt, done).await
    }

    /// Rights first, so that agents and directory are asked about nobody's relaying; then the
    /// agents, who may give another address; then the directory about that one.
    async fn take_recipient(&mut self, mut recipient: Recipient) -> Result<(), Refused> {
        let connector = self.connector()?;
        if recipient.forward_path == ForwardPath::Postmaster
            && let Some(domain) = &connector.default_domain
            && let Ok(local_part) = "postmaster".parse()
        {
            let mailbox = Mailbox::new(&local_part, &Host::Domain(domain.clone()));
            recipient.forward_path = ForwardPath::from(mailbox);
        }
        self.config
            .accepts_recipient(connector, self.rights, &recipient.forward_path)
            .map_err(|refusal| self.refused_for(refusal))?;
        let Some(transaction) = &self.transaction else { return Err(local_error().into()) };
        let Some(plan) = &transaction.plan else {
            self.judge(&recipient.forward_path).await?;
            if let Some(transaction) = &mut self.transaction {
                transaction.recipients.push(recipient);
            }
            return Ok(());
        };
        let place = plan.recipients().len();
        self.ask_always(ReceiveStep::Rcpt(recipient)).await?;
        let plan = self.transaction.as_ref().and_then(|open| open.plan.as_ref());
        let taken = plan.and_then(|plan| plan.recipients().get(place));
        let Some(taken) = taken else { return Err(local_error().into()) };
        let recipient = Recipient {
            forward_path: taken.forward_path.clone(),
            parameters: taken.parameters.clone(),
        };
        let judged = match taken.end {
            Some(_) => Ok(()),
            None => self.judge(&recipient.forward_path).await,
        };
        if let Some(transaction) = &mut self.transaction {
            match (&judged, &mut transaction.plan) {
                (Err(_), Some(plan)) => plan.retract_rcpt(),
                _ => transaction.recipients.push(recipient),
            }
        }
        judged
    }

    /// What the directory and the policies in it say of a recipient.
    async fn judge(&mut self, path: &ForwardPath) -> Result<(), Refused> {
        let size = self.transaction.as_ref().and_then(|open| open.parameters.size);
        let before = self.transaction.as_ref().map_or(0, |open| open.recipients.len());
        self.judge_with(path, before, size).await
    }

    async fn judge_with(
        &mut self,
        path: &ForwardPath,
        before: usize,
        size: Option<u64>,
    ) -> Result<(), Refused> {
        let (Some(directory), Some(transaction)) = (&self.core.directory, &mut self.transaction)
        else {
            return Ok(());
        };
        let MailTransaction { reverse_path, answers, .. } = &mut **transaction;
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        let authenticated = self.kind.is_authenticated_sender(self.rights);
        let mut resolution =
            Resolution::new(&self.config, reverse_path).with_authenticated(authenticated);
        resolution.size = size;
        let until = Instant::now() + DIRECTORY_TIMEOUT;
        loop {
            let wanted = match resolution.judge(path, before, answers) {
                Step::Done(Ok(())) => return Ok(()),
                Step::Done(Err(refusal)) => {
                    return Err(self.refused(refusal.reason(), refusal.reply(self.profile)));
                }
                Step::Lookup(wanted) => wanted,
            };
            for mailbox in wanted {
                let answer = tokio::time::timeout_at(until, directory.lookup(&mailbox)).await;
                let answer =
                    answer.unwrap_or_else(|_| Err(DirectoryUnavailable::new("it does not answer")));
                if let Err(unavailable) = &answer {
                    tracing::warn!(%unavailable, "recipients are put off");
                }
                answers.insert(&mailbox, answer);
            }
        }
    }

    /// Policies about the size, now that it is known. A message that nobody takes is refused; one
    /// that some take is taken, and the others are told by a report.
    pub(super) async fn judge_size(&mut self, octets: u64) -> Result<(), Refused> {
        if self.core.directory.is_none() {
            return Ok(());
        }
        let Some(transaction) = &self.transaction else { return Err(local_error().into()) };
        let paths: Vec<ForwardPath> = match &transaction.plan {
            Some(plan) => {
                let open = plan.recipients().iter().filter(|to| to.end.is_none());
                open.map(|to| to.forward_path.clone()).collect()
            }
            None => transaction.recipients.iter().map(|to| to.forward_path.clone()).collect(),
        };
        let mut last = Ok(());
        for path in paths {
            last = self.judge_with(&path, 0, Some(octets)).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }
}
