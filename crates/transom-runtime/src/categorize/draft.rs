//! What becomes of a message by directory, agents and remote domains, before it is written down.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use transom_agent::{
    AgentEvent, AgentMode, ContentSource, HeaderFirewall, MessagePlan, MessageRecipient,
    PipelineEntry, RoutingStep, Treatment,
};
use transom_connector::{CheckedConfiguration, ReplyProfile};
use transom_queue::{Content, EditList, IngressKind, RecipientState, StoreError, WorkStage};
use transom_routing::resolve::{AutomaticMail, ResolutionEnd, Resolved};
use transom_routing::{MessageFacts, next_hop};
use transom_tracking::AgentLogEntry;
use transom_types::{
    AttemptStage, EnhancedStatusCode, ForwardPath, Mailbox, Outcome, Recipient, Reply, ReplyCode,
    Status, TlsClass,
};

use super::Submitted;
use super::directory::resolve;
use crate::core::Core;

/// Wait of a message whose recipients the directory cannot say anything of: it comes back soon
/// where a server is restarted, and costs little where it does not.
const DIRECTORY_RETRY: Duration = Duration::from_mins(1);

/// Octets of a header section that agents are shown.
const HEADER_OCTETS_MAX: u64 = 1 << 20;

/// Who ends recipients where no agent does.
const RESOLVER: &str = "Resolver";

/// Why a message is not categorized now.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The spool refused.
    Store(StoreError),
    /// It is to wait, and nothing is written down.
    PutOff(Duration),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A message in the making of a decision.
pub(super) struct Draft<'a> {
    pub(super) core: &'a Core,
    pub(super) configuration: &'a CheckedConfiguration,
    pub(super) submitted: &'a Submitted,
    pub(super) plan: MessagePlan,
    /// What is known of each recipient beside the plan, by its place there. Missing ones have
    /// nothing.
    pub(super) sides: Vec<Side>,
    /// Members and targets that get nothing.
    pub(super) failed: Vec<Ended>,
    pub(super) resolved: Resolved,
    pub(super) log: Vec<AgentLogEntry>,
    /// The edits that the content has before agents have any.
    pub(super) edits: EditList,
}

/// What is known of a recipient beside the plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    /// Who hears of failures, where it is not the sender.
    pub(super) reports_to: Option<Mailbox>,
    /// How it ended.
    pub(super) outcome: Option<Outcome>,
}

/// Somebody who is in no envelope and has an outcome.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) recipient: Recipient,
    pub(super) reports_to: Option<Mailbox>,
    pub(super) outcome: Outcome,
}

/// Whether more than a next hop is to be found for the message.
pub(super) fn asks(core: &Core, submitted: &Submitted) -> bool {
    if is_decided(submitted) {
        return false;
    }
    let message = &submitted.message;
    let automatic = || {
        let configuration = core.config();
        let kinds: &[_] = match message.ingress.kind {
            IngressKind::Dsn => &[AutomaticMail::FailureReport],
            _ => &[AutomaticMail::Forward, AutomaticMail::Reply],
        };
        let unwanted = |path: &ForwardPath| {
            kinds.iter().any(|kind| kind.unwanted_at(&configuration, path).is_some())
        };
        message.envelope.recipients.iter().any(|to| unwanted(&to.forward_path))
    };
    core.directory.is_some() || listens(core) || automatic()
}

/// Whether anybody is asked but the header firewall.
pub(super) fn asks_others(core: &Core) -> bool {
    let firewall = HeaderFirewall::outbound_settings().name;
    let others = |entry: &PipelineEntry| entry.mode != AgentMode::Off && entry.agent != firewall;
    core.directory.is_some() || core.pipeline.pipeline().iter().any(others)
}

fn listens(core: &Core) -> bool {
    use AgentEvent::{Categorized, Resolved, Routed, Submitted};
    [Submitted, Resolved, Routed, Categorized].iter().any(|event| core.pipeline.listens(*event))
}

/// Whether the categorizer has decided on it before. What was attempted was in a delivery queue:
/// it went there as it was.
pub(super) fn is_decided(submitted: &Submitted) -> bool {
    let state = &submitted.state;
    state.decided.is_some() || state.recipients.iter().any(|recipient| recipient.attempts > 0)
}

impl<'a> Draft<'a> {
    /// Goes all the way: resolves, asks the agents at each step, routes.
    pub(super) async fn make(
        core: &'a Core,
        configuration: &'a CheckedConfiguration,
        submitted: &'a Submitted,
    ) -> Result<Self, Trouble> {
        let message = &submitted.message;
        let mut plan = MessagePlan::of_envelope(&message.envelope, submitted.open());
        plan.set_ids(submitted.id, message.network_id);
        let mut draft = Self {
            core,
            configuration,
            submitted,
            plan,
            sides: Vec::new(),
            failed: Vec::new(),
            resolved: Resolved::default(),
            log: Vec::new(),
            edits: submitted.state.edits.clone(),
        };
        let kind = message.ingress.kind;
        if listens(core) || kind != IngressKind::Dsn {
            draft.read_content().await?;
        }
        draft.ask(RoutingStep::Submitted).await;
        draft.resolve().await?;
        draft.ask(RoutingStep::Resolved).await;
        draft.end_unwanted();
        draft.route();
        draft.ask(RoutingStep::Routed).await;
        draft.ask(RoutingStep::Categorized).await;
        let waits = draft.open().filter_map(|(place, _)| draft.treatment(place).defer).max();
        match waits {
            // What the agents did is forgotten: they are asked again.
            Some(wait) => Err(Trouble::PutOff(wait)),
            None => Ok(draft),
        }
    }

    /// The recipients that have not ended, each with its place.
    pub(super) fn open(&self) -> impl Iterator<Item = (u32, &MessageRecipient)> {
        (0u32..).zip(self.plan.recipients()).filter(|(_, recipient)| recipient.end.is_none())
    }

    pub(super) fn treatment(&self, place: u32) -> Treatment {
        self.plan.treatment(place).cloned().unwrap_or_default()
    }

    pub(super) fn side(&self, place: u32) -> Side {
        let at = usize::try_from(place).ok();
        at.and_then(|at| self.sides.get(at)).cloned().unwrap_or_default()
    }

    fn side_mut(&mut self, place: u32) -> Option<&mut Side> {
        let at = usize::try_from(place).ok()?;
        if self.sides.len() <= at {
            self.sides.resize(at.saturating_add(1), Side::default());
        }
        self.sides.get_mut(at)
    }

    async fn read_content(&mut self) -> Result<(), StoreError> {
        let Submitted { id, message, state, .. } = self.submitted;
        let header_octets = message.facts.header_octets;
        let fresh = self.core.cache.get(*id).filter(|_| state.edits.is_empty());
        let (content, edits) = if let Some(fresh) = fresh {
            (Content::from_bytes(fresh.content), EditList::default())
        } else {
            let stored = self.core.spool.open(*id).await?;
            (stored.content, stored.state.edits)
        };
        let inserted = edits.edits().iter().fold(0u64, |sum, edit| {
            sum.saturating_add(u64::try_from(edit.insert.len()).unwrap_or(u64::MAX))
        });
        let octets = header_octets.saturating_add(inserted).min(content.octets());
        let octets = usize::try_from(octets.min(HEADER_OCTETS_MAX)).unwrap_or(0);
        let headers = if let Some(bytes) = content.bytes() {
            bytes.slice(..octets.min(bytes.len()))
        } else {
            let mut headers = vec![0; octets];
            let read = content.read_at(0, &mut headers)?;
            headers.truncate(read);
            Bytes::from(headers)
        };
        self.plan.set_headers(headers);
        self.plan.set_content(Arc::new(SpoolContent(content)));
        self.edits = edits;
        Ok(())
    }

    async fn ask(&mut self, step: RoutingStep) {
        if !self.core.pipeline.listens(step.event()) {
            return;
        }
        let _work = self.core.spool.working(self.submitted.id, WorkStage::Agent);
        let log = self.core.pipeline.routed(step, &mut self.plan).await;
        self.log.extend(log);
    }

    async fn resolve(&mut self) -> Result<(), Trouble> {
        let Some(directory) = &self.core.directory else { return Ok(()) };
        let (places, recipients): (Vec<u32>, Vec<Recipient>) =
            self.open().map(|(place, to)| (place, recipient(to))).unzip();
        let already = self.already();
        let message = &self.submitted.message;
        let sender = self.plan.reverse_path().clone();
        let resolved =
            resolve(&**directory, self.configuration, message, &sender, &recipients, &already);
        let resolved = resolved.await;
        let unavailable = resolved.ends.iter().find_map(|end| match end {
            ResolutionEnd::Deferred(unavailable) => Some(unavailable),
            _ => None,
        });
        if let Some(unavailable) = unavailable {
            tracing::warn!(message = %self.submitted.id, %unavailable, "a message is put off");
            return Err(Trouble::PutOff(DIRECTORY_RETRY));
        }
        self.take_over(&places, resolved);
        Ok(())
    }

    /// The addresses of recipients that are not asked about any more.
    fn already(&self) -> Vec<Mailbox> {
        let all = (0u32..).zip(&self.submitted.message.envelope.recipients);
        let asked: Vec<u32> = self.submitted.open().collect();
        let others = all.filter(|(place, _)| !asked.contains(place));
        others.filter_map(|(_, to)| to.forward_path.mailbox().cloned()).collect()
    }

    /// Puts what the directory said into the plan. `places` are those of the recipients that were
    /// resolved.
    fn take_over(&mut self, places: &[u32], resolved: Resolved) {
        let place_of = |origin: u32| usize::try_from(origin).ok().and_then(|at| places.get(at));
        let words = ReplyProfile::Exchange;
        for (place, end) in places.iter().zip(&resolved.ends) {
            let outcome = match end {
                ResolutionEnd::Duplicate => Outcome::Duplicate,
                ResolutionEnd::Expanded { .. } => Outcome::Expanded,
                ResolutionEnd::Redirected => Outcome::Redirected,
                ResolutionEnd::Failed(refusal) => failed(refusal.reply(words)),
                _ => continue,
            };
            self.end(*place, outcome);
        }
        for to in &resolved.recipients {
            let Some(from) = place_of(to.origin).filter(|_| !to.history.is_empty()) else {
                continue;
            };
            let added = self.plan.add_resolved(to.recipient.clone(), *from);
            if let Some(side) = self.side_mut(added) {
                side.reports_to.clone_from(&to.reports_to);
            }
        }
        self.failed.extend(resolved.failed.iter().map(|to| Ended {
            recipient: to.recipient.clone(),
            reports_to: to.reports_to.clone(),
            outcome: failed(to.refusal.reply(words)),
        }));
        self.resolved = resolved;
    }

    /// A recipient ends, by nobody's doing but ours.
    fn end(&mut self, place: u32, outcome: Outcome) {
        let reply = outcome.status().map(|status| status.reply.clone());
        self.plan.end_recipient(place, &RESOLVER.into(), reply);
        if let Some(side) = self.side_mut(place) {
            side.outcome = Some(outcome);
        }
    }

    /// What nobody wrote is not sent to where it is not wanted.
    fn end_unwanted(&mut self) {
        let kind = match self.submitted.message.ingress.kind {
            IngressKind::Dsn => Some(AutomaticMail::FailureReport),
            _ => AutomaticMail::of(&self.plan.headers()),
        };
        let Some(kind) = kind else { return };
        let unwanted: Vec<_> = self
            .open()
            .filter_map(|(place, to)| {
                Some((place, kind.unwanted_at(self.configuration, &to.forward_path)?))
            })
            .collect();
        for (place, reason) in unwanted {
            let text = format!("Not wanted by the remote domain: {reason}");
            self.end(place, removed(text));
        }
    }

    fn route(&mut self) {
        let _work = self.core.spool.working(self.submitted.id, WorkStage::Categorize);
        let message = &self.submitted.message;
        let facts = MessageFacts::new(&message.envelope, message.facts.octets);
        let routed: Vec<_> = self
            .open()
            .map(|(place, to)| {
                let by = self.plan.treatment(place).and_then(|it| it.route.as_ref());
                (place, next_hop(self.configuration, &facts, &to.forward_path, by))
            })
            .collect();
        let redirects = self.core.redirects().clone();
        for (place, routed) in routed {
            match routed {
                Ok(mut next_hop) => {
                    if self.treatment(place).require_tls {
                        next_hop.tls = TlsClass::RequireTls;
                    }
                    let next_hop = redirects.get(&next_hop).cloned().unwrap_or(next_hop);
                    self.plan.set_next_hop(place, next_hop);
                }
                Err(reply) => self.end(place, failed(reply)),
            }
        }
    }

    /// How a recipient that is not open ended.
    pub(super) fn outcome(&self, place: u32, recipient: &MessageRecipient) -> Option<Outcome> {
        if let Some(outcome) = self.side(place).outcome {
            return Some(outcome);
        }
        let end = recipient.end.as_ref()?;
        Some(match &end.reply {
            Some(reply) => Outcome::Failed(Status::local(AttemptStage::Routing, reply.clone())),
            None => removed(format!("Dropped by agent {}", end.agent)),
        })
    }
}

/// The recipient as an envelope has it.
pub(super) fn recipient(to: &MessageRecipient) -> Recipient {
    Recipient { forward_path: to.forward_path.clone(), parameters: to.parameters.clone() }
}

fn failed(reply: Reply) -> Outcome {
    Outcome::Failed(Status::local(AttemptStage::Routing, reply))
}

fn removed(text: String) -> Outcome {
    let reply = Reply::new(ReplyCode::OK, EnhancedStatusCode::success(0, 0), text);
    Outcome::Removed(Status::local(AttemptStage::Routing, reply))
}

impl Submitted {
    /// Places of the recipients that are to be routed and have no end yet.
    pub(super) fn open(&self) -> impl Iterator<Item = u32> {
        let is_asked = |place: &u32| {
            self.units.iter().any(|unit| unit.recipients.binary_search(place).is_ok())
        };
        let open = (0u32..).zip(&self.state.recipients).filter(|(_, to)| to.is_open());
        open.map(|(place, _)| place).filter(is_asked)
    }

    /// Whether all open recipients are to be routed, so that none is under way meanwhile.
    pub(super) fn is_whole(&self) -> bool {
        let open = self.state.recipients.iter().filter(|to| RecipientState::is_open(to));
        open.count() == self.open().count()
    }
}

/// The content of a message as agents read it.
struct SpoolContent(Content);

impl ContentSource for SpoolContent {
    fn len(&self) -> u64 {
        self.0.octets()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buf).map_err(std::io::Error::other)
    }
}
