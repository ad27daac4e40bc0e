//! The receiving half's decisions: who the client is, and what it may do.

use std::sync::Arc;

use transom_agent::{ReceiveStep, SessionView};
use transom_connector::{
    CheckedConfiguration, PrincipalKind, ReceiveConnector, ReceiveProtocol, Refusal, ReplyProfile,
    Rights,
};
use transom_smtp::sasl::{Question, Verdict};
use transom_types::{Domain, Principal, Reply, SessionId};

use super::agents::kept_headers;
use super::custody::Custody;
use super::envelope::MailTransaction;
use super::places::Places;
use super::refusal::{Answer, Refused, local_error};
use super::session::Ends;
use crate::core::Core;

/// The application's side of one session.
pub(super) struct Reception {
    pub(super) core: Arc<Core>,
    /// In force when the session began, and for as long as it lasts.
    pub(super) config: Arc<CheckedConfiguration>,
    pub(super) places: Arc<Places>,
    pub(super) protocol: ReceiveProtocol,
    pub(super) profile: ReplyProfile,
    tells_the_time: bool,
    /// The hosts that the client has shown to be by its certificate, of those that the connector
    /// names.
    pub(super) certificate_names: Vec<Domain>,
    pub(super) kind: PrincipalKind,
    /// What the client may do as who it is at this moment.
    pub(super) rights: Rights,
    /// What is known of the session, as agents see it too.
    pub(super) view: SessionView,
    /// What we call ourselves.
    pub(super) name: Domain,
    pub(super) esmtp: bool,
    pub(super) transaction: Option<Box<MailTransaction>>,
    pub(super) custody: Option<Custody>,
}

impl Reception {
    pub(super) fn new(
        core: Arc<Core>,
        places: Arc<Places>,
        config: &Arc<CheckedConfiguration>,
        connector: &ReceiveConnector,
        ends: Ends,
    ) -> Self {
        let id = SessionId(fastrand::u64(..));
        let view = SessionView::new(id, connector.name.clone(), ends.local, ends.client);
        let mut reception = Self {
            config: Arc::clone(config),
            places,
            name: config.receive_fqdn(connector).clone(),
            protocol: connector.protocol,
            profile: connector.reply_profile,
            tells_the_time: connector.banner.is_none(),
            certificate_names: Vec::new(),
            kind: PrincipalKind::Anonymous,
            rights: Rights::NONE,
            view,
            core,
            esmtp: false,
            transaction: None,
            custody: None,
        };
        reception.recompute_rights();
        reception
    }

    /// The connection now speaks for another client: nothing of the former stays but that the
    /// connection is under TLS.
    pub(super) fn begin_anew(&mut self, connector: &ReceiveConnector, ends: Ends) {
        let tls = self.view.tls.take();
        let (core, config) = (Arc::clone(&self.core), Arc::clone(&self.config));
        let places = Arc::clone(&self.places);
        *self = Self::new(core, places, &config, connector, ends);
        self.view.tls = tls;
    }

    /// Whether the greeting has a date, where the words of the profile have one.
    pub(super) fn tells_the_time(&self) -> bool {
        self.tells_the_time
    }

    /// Forgets the open transaction and what was spooled of it.
    pub(super) fn reset(&mut self) {
        self.transaction = None;
    }

    /// Who the session takes its client for at this moment.
    pub(super) fn serve_as(&mut self, principal: Option<&Principal>) {
        if self.view.principal.as_ref() != principal {
            self.view.principal = principal.cloned();
            self.recompute_rights();
        }
    }

    /// The session's connector. The configuration is the one that it was chosen from.
    pub(super) fn connector(&self) -> Result<&ReceiveConnector, Refused> {
        let connector = self.config.receive_connector(&self.view.connector);
        connector.ok_or_else(|| local_error().into())
    }

    /// Called whenever the client has become somebody else.
    fn recompute_rights(&mut self) {
        let Some(connector) = self.config.receive_connector(&self.view.connector) else { return };
        let names: Vec<&str> = self.certificate_names.iter().map(Domain::as_str).collect();
        self.kind = connector.principal_kind(self.view.principal.is_some(), &names);
        self.rights = connector.permissions.rights(self.kind);
        self.view.kept_headers = kept_headers(self.rights);
        self.view.bypasses_anti_spam = self.rights.contains(Rights::BYPASS_ANTI_SPAM);
    }

    /// Puts the question to the authenticator.
    pub(super) async fn authenticate(&self, question: Question) -> Verdict {
        match &self.core.authentication {
            Some(authentication) => authentication.decide(question, &self.core.tls).await,
            None => Verdict::Unavailable,
        }
    }

    /// TLS is up; all that was said before it is forgotten. `names` are hosts that the client has
    /// shown to be.
    pub(super) fn tls_established(&mut self, agreed: String, names: Vec<Domain>) {
        self.view.tls = Some(agreed.into());
        self.view.principal = None;
        self.view.helo = None;
        self.certificate_names = names;
        self.transaction = None;
        self.recompute_rights();
    }

    pub(super) async fn hello(&mut self, name: &str, esmtp: bool) -> Answer {
        let step = if esmtp { ReceiveStep::Ehlo(name) } else { ReceiveStep::Helo(name) };
        let event = step.event();
        let done = match self.accepts_hello(name) {
            Ok(()) => self.ask(step).await,
            Err(refused) => Err(refused),
        };
        if done.is_ok() {
            self.view.helo = Some(name.into());
            self.esmtp = esmtp;
        }
        self.answer(event, done).await
    }

    fn accepts_hello(&self, name: &str) -> Result<(), Refused> {
        self.connector()?.accepts_hello(name).map_err(|refusal| self.refused_for(refusal))
    }

    /// A refusal of the connector's, written down.
    pub(super) fn refused_for(&self, refusal: Refusal) -> Refused {
        let reply: Reply = refusal.reply(self.profile);
        Refused { closes: refusal.closes(), ..self.refused(refusal.reason(), reply) }
    }
}
