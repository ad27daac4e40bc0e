//! Follows one recipient to everybody that it leads to.

use std::collections::HashMap;

use transom_agent::{DirectoryEntry, DirectoryUnavailable, GroupReports, RecipientKind};
use transom_types::Mailbox;

use super::answers::address_key;
use super::policy::is_postmaster;
use super::remote::remote_domain;
use super::search::{Look, Open, Search, Sender};
use super::{RecipientRefusal, StepKind};

/// Everybody that a recipient leads to, the nearest first. The first node is the recipient.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) nodes: Vec<Node>,
    by_key: HashMap<String, usize>,
    /// Nodes that get the message.
    pub(super) leaves: Vec<usize>,
    pub(super) failures: Vec<(usize, RecipientRefusal)>,
    /// Addresses come upon once more, each with the node that led there.
    pub(super) duplicates: Vec<(Mailbox, usize)>,
    /// Copies that remote domains do not want, each with the mailbox that would forward it.
    pub(super) not_forwarded: Vec<(Mailbox, usize)>,
    pub(super) steps: Vec<(StepKind, usize, Vec<Mailbox>)>,
    pub(super) unavailable: Option<DirectoryUnavailable>,
    /// Whether the recipient is a group, itself or by its other names.
    pub(super) is_group: bool,
    /// It leads to more addresses than are followed.
    pub(super) is_too_large: bool,
}

/// An address on the way.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) mailbox: Mailbox,
    pub(super) key: String,
    pub(super) parent: Option<usize>,
    pub(super) passage: Passage,
    depth: u32,
    /// Whether nothing but other names and forwarding lies before it, so that its failure is the
    /// recipient's.
    pub(super) is_direct: bool,
    /// The one node that all its mail goes to.
    next: Option<usize>,
}

/// What the way to an address means for reports about it.
#[derive(Clone)]
pub(super) struct Passage {
    /// Who hears of failures.
    pub(super) reports: GroupReports,
    /// Whether a success may be reported.
    pub(super) success: bool,
    /// Whether a group lies on the way.
    pub(super) by_group: bool,
}

/// How far to go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To everybody.
    Everybody,
    /// Only as far as the recipient stands or falls with it: not into groups.
    Itself,
}

impl Walk {
    /// From `root`. `is_reserved` is set for `<Postmaster>`, which exists whether or not the
    /// directory knows it.
    pub(super) fn from(
        search: &mut Search<'_>,
        sender: &Sender<'_>,
        root: Mailbox,
        is_reserved: bool,
        reach: Reach,
    ) -> Self {
        let mut walk = Self::default();
        let passage = Passage { reports: GroupReports::Sender, success: true, by_group: false };
        let key = address_key(&root);
        walk.push(Node {
            mailbox: root,
            key,
            parent: None,
            passage,
            depth: 0,
            is_direct: true,
            next: None,
        });
        let nodes_max = search.resolution.limits.expanded_recipients_max.max(1);
        let nodes_max = usize::try_from(nodes_max).unwrap_or(usize::MAX);
        let mut at = 0usize;
        while let Some(node) = walk.nodes.get(at).cloned() {
            walk.is_too_large = walk.nodes.len() > nodes_max;
            if walk.is_too_large {
                return walk;
            }
            walk.visit(search, sender, at, &node, is_reserved && at == 0, reach);
            at = at.saturating_add(1);
        }
        walk.fail_circles();
        walk
    }

    fn visit(
        &mut self,
        search: &mut Search<'_>,
        sender: &Sender<'_>,
        at: usize,
        node: &Node,
        is_reserved: bool,
        reach: Reach,
    ) {
        let depth_max = search.resolution.limits.depth_max;
        if node.depth > depth_max {
            return self.failures.push((at, RecipientRefusal::NestingMax { depth_max }));
        }
        let entry = match search.look(&node.mailbox, &node.key) {
            Ok(Look::Entry(entry)) => entry,
            Ok(Look::Unknown) if !is_reserved => {
                return self.failures.push((at, RecipientRefusal::Unknown));
            }
            Ok(Look::Elsewhere | Look::Known | Look::Unknown) => return self.leaves.push(at),
            Err(open) => return self.leave_open(at, open),
        };
        match search.refusal(&entry.policy, &node.mailbox, sender) {
            Ok(None) => self.follow(search, at, node, entry, reach),
            Ok(Some(refusal)) => self.failures.push((at, refusal)),
            Err(open) => self.leave_open(at, open),
        }
    }

    fn leave_open(&mut self, at: usize, open: Open) {
        match open {
            Open::Missing => {}
            Open::Refused(refusal) => self.failures.push((at, refusal)),
            Open::Unavailable(unavailable) => self.unavailable = Some(unavailable),
        }
    }

    fn follow(
        &mut self,
        search: &Search<'_>,
        at: usize,
        node: &Node,
        entry: &DirectoryEntry,
        reach: Reach,
    ) {
        let is_report = search.resolution.sender.is_null();
        let only = |to: &Mailbox| vec![to.clone()];
        match &entry.kind {
            RecipientKind::Alias(to) | RecipientKind::Contact(to) => {
                self.replace(at, node, to);
                self.steps.push((StepKind::Resolve, at, only(to)));
            }
            RecipientKind::Forwarding { to, keep_copy: false } if !may_forward(search, to) => {
                self.failures.push((at, RecipientRefusal::ForwardingNotAllowed));
            }
            RecipientKind::Forwarding { to, keep_copy: false } => {
                self.replace(at, node, to);
                self.steps.push((StepKind::Redirect, at, only(to)));
            }
            RecipientKind::Forwarding { to, keep_copy: true } => {
                self.leaves.push(at);
                if reach == Reach::Everybody && may_forward(search, to) {
                    // The copy that is kept reports the success.
                    let passage = Passage { success: false, ..node.passage.clone() };
                    self.add(at, node, to, passage, false);
                    self.steps.push((StepKind::Redirect, at, only(to)));
                } else if reach == Reach::Everybody {
                    self.not_forwarded.push((to.clone(), at));
                }
            }
            RecipientKind::Group(group) if is_report && !is_postmaster(&node.mailbox) => {
                // A report about mail of a group is for whoever looks after it, not for everybody.
                match &group.reports {
                    GroupReports::Owner(owner) => {
                        self.replace(at, node, owner);
                        self.steps.push((StepKind::Redirect, at, only(owner)));
                    }
                    _ => self.failures.push((at, RecipientRefusal::ReportToGroup)),
                }
            }
            RecipientKind::Group(group) if group.members.is_empty() => {
                self.failures.push((at, RecipientRefusal::EmptyGroup));
            }
            RecipientKind::Group(_) if reach == Reach::Itself => self.leaves.push(at),
            RecipientKind::Group(group) => {
                self.is_group |= node.is_direct;
                let reports = match &group.reports {
                    GroupReports::Sender => node.passage.reports.clone(),
                    other => other.clone(),
                };
                let passage = Passage { reports, success: false, by_group: true };
                for member in &group.members {
                    self.add(at, node, member, passage.clone(), false);
                }
                self.steps.push((StepKind::Expand, at, group.members.clone()));
            }
            // A mailbox, and what later versions of the directory may know.
            _ => self.leaves.push(at),
        }
    }

    /// All mail for `node` goes to `to`.
    fn replace(&mut self, at: usize, node: &Node, to: &Mailbox) {
        let next = self.add(at, node, to, node.passage.clone(), node.is_direct);
        if let Some(node) = self.nodes.get_mut(at) {
            node.next = Some(next);
        }
    }

    /// The node of `mailbox`. Where there is none yet, it is the last one now.
    fn add(
        &mut self,
        parent: usize,
        node: &Node,
        mailbox: &Mailbox,
        passage: Passage,
        is_direct: bool,
    ) -> usize {
        let key = address_key(mailbox);
        if let Some(known) = self.by_key.get(&key) {
            self.duplicates.push((mailbox.clone(), parent));
            return *known;
        }
        self.push(Node {
            mailbox: mailbox.clone(),
            key,
            parent: Some(parent),
            passage,
            depth: node.depth.saturating_add(1),
            is_direct,
            next: None,
        })
    }

    fn push(&mut self, node: Node) -> usize {
        let at = self.nodes.len();
        self.by_key.insert(node.key.clone(), at);
        self.nodes.push(node);
        at
    }

    /// Where mail goes round in circles of which it has no way out, it fails at the node that it
    /// came to first.
    fn fail_circles(&mut self) {
        let next = |at: usize| self.nodes.get(at).and_then(|node| node.next);
        let mut seen_from: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut circles = Vec::new();
        for start in 0..self.nodes.len() {
            let mut place = Some(start);
            while let Some(at) = place {
                let Some(seen) = seen_from.get_mut(at) else { break };
                match *seen {
                    Some(from) if from == start => {
                        circles.push(first_of_circle(at, next));
                        break;
                    }
                    Some(_) => break,
                    None => *seen = Some(start),
                }
                place = next(at);
            }
        }
        self.failures.extend(circles.into_iter().map(|at| (at, RecipientRefusal::ForwardingLoop)));
    }

    /// The addresses before `at`, the recipient first.
    pub(super) fn history(&self, at: usize) -> Vec<Mailbox> {
        let node = |at: usize| self.nodes.get(at);
        let parents = std::iter::successors(node(at), |child| child.parent.and_then(node));
        let mut history: Vec<_> = parents.skip(1).map(|node| node.mailbox.clone()).collect();
        history.reverse();
        history
    }
}

/// Whether the domain of `to` takes what is forwarded by itself.
fn may_forward(search: &Search<'_>, to: &Mailbox) -> bool {
    let configuration = search.resolution.configuration;
    remote_domain(configuration, to).is_none_or(|remote| remote.auto_forward)
}

/// The lowest place on the circle that `at` lies on.
fn first_of_circle(at: usize, next: impl Fn(usize) -> Option<usize>) -> usize {
    let round = std::iter::successors(next(at), |place| next(*place));
    round.take_while(|place| *place != at).fold(at, usize::min)
}
