//! The receiving half's decisions: who may send what to whom, and custody of what they send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use transom_connector::{
    CheckedConfiguration, ReceiveConnector, ReceiveLimits, ReceiveProtocol, RecipientClass, ReplyProfile, Rights,
};
use transom_message::{ContentScan, Received, ScanLimits, TransferProtocol};
use transom_queue::{
    Accept, Accepted, ContentFacts, Durability, Ingest, Ingress, IngressKind, Op, StoreError,
};
use transom_smtp::sasl::{Question, Verdict};
use transom_tracking::{EventId, Peer, Source, TrackedRecipient, TrackingEvent};
use transom_types::{
    ConnectorId, Domain, EnhancedStatusCode, Envelope, ForwardPath, InternalMessageId,
    MailParameters, NetworkMessageId, Principal, RcptParameters, Recipient, Reply, ReplyCode,
    ReversePath, SessionId,
};

use super::session::Ends;
use crate::body_cache::Fresh;
use crate::categorize::Submitted;
use crate::core::Core;

/// How long the directory may think about a recipient: longer than any that works, shorter than
/// a client waits.
const DIRECTORY_TIMEOUT: Duration = Duration::from_mins(1);

/// What is said to a question of the session.
pub(super) enum Answer {
    /// The default positive reply.
    Accept,
    /// This reply.
    Reply(Reply),
}

/// The application's side of one session.
pub(super) struct Reception {
    core: Arc<Core>,
    /// In force when the session began, and for as long as it lasts.
    config: Arc<CheckedConfiguration>,
    connector: ConnectorId,
    limits: ReceiveLimits,
    protocol: ReceiveProtocol,
    profile: ReplyProfile,
    tells_the_time: bool,
    /// Who the client has shown to be.
    principal: Option<Principal>,
    name: Domain,
    local: SocketAddr,
    peer: SocketAddr,
    session: SessionId,
    helo: Option<String>,
    esmtp: bool,
    tls: Option<String>,
    transaction: Option<MailTransaction>,
    durable: Option<Durable>,
}

struct MailTransaction {
    reverse_path: ReversePath,
    parameters: MailParameters,
    recipients: Vec<Recipient>,
    intake: Option<Intake>,
}

/// A message in our custody that nobody knows of yet.
struct Durable {
    id: InternalMessageId,
    message: Arc<Accepted>,
    /// Its content, where it is in memory.
    content: Option<Bytes>,
}

/// Content on its way into the spool.
struct Intake {
    ingest: Box<dyn Ingest>,
    scan: ContentScan,
    trace_octets: u64,
    network_id: NetworkMessageId,
    /// The first error; what comes behind it is thrown away.
    failed: Option<StoreError>,
}

impl Reception {
    pub(super) fn new(
        core: Arc<Core>,
        config: &Arc<CheckedConfiguration>,
        connector: &ReceiveConnector,
        ends: Ends,
    ) -> Self {
        Self {
            config: Arc::clone(config),
            name: config.receive_fqdn(connector).clone(),
            connector: connector.name.clone(),
            limits: connector.limits.clone(),
            protocol: connector.protocol,
            profile: connector.reply_profile,
            tells_the_time: connector.banner.is_none(),
            principal: None,
            core,
            local: ends.local,
            peer: ends.client,
            session: SessionId(fastrand::u64(..)),
            helo: None,
            esmtp: false,
            tls: None,
            transaction: None,
            durable: None,
        }
    }

    /// The connection now speaks for another client: nothing of the former stays but that the
    /// connection is under TLS.
    pub(super) fn begin_anew(&mut self, connector: &ReceiveConnector, ends: Ends) {
        let tls = self.tls.take();
        let (core, config) = (Arc::clone(&self.core), Arc::clone(&self.config));
        *self = Self { tls, ..Self::new(core, &config, connector, ends) };
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
        self.principal = principal.cloned();
    }

    /// The session's connector. The configuration is the one that it was chosen from.
    fn connector(&self) -> Result<&ReceiveConnector, Reply> {
        self.config.receive_connector(&self.connector).ok_or_else(local_error)
    }

    /// What the session may do, as who it is at this moment.
    fn rights(&self, connector: &ReceiveConnector) -> Rights {
        let kind = connector.principal_kind(self.principal.is_some(), &[""; 0]);
        connector.permissions.rights(kind)
    }

    /// Puts the question to the authenticator.
    pub(super) async fn authenticate(&self, question: Question) -> Verdict {
        match &self.core.authentication {
            Some(authentication) => authentication.decide(question, &self.core.tls).await,
            None => Verdict::Unavailable,
        }
    }

    /// TLS is up; all that was said before it is forgotten.
    pub(super) fn tls_established(&mut self, agreed: String) {
        self.tls = Some(agreed);
        self.principal = None;
        self.helo = None;
        self.transaction = None;
    }

    pub(super) fn hello(&mut self, name: &str, esmtp: bool) -> Answer {
        self.helo = Some(name.to_owned());
        self.esmtp = esmtp;
        Answer::Accept
    }

    pub(super) async fn mail(
        &mut self,
        reverse_path: ReversePath,
        parameters: MailParameters,
    ) -> Answer {
        if let Err(reply) = self.spool_takes_mail().await {
            return Answer::Reply(reply);
        }
        if let Err(reply) = self.check_sender(&reverse_path) {
            return Answer::Reply(reply);
        }
        self.transaction = Some(MailTransaction {
            reverse_path,
            parameters,
            recipients: Vec::new(),
            intake: None,
        });
        Answer::Accept
    }

    fn check_sender(&self, path: &ReversePath) -> Result<(), Reply> {
        let (config, connector) = (&self.config, self.connector()?);
        let may_send_as = config.sends_as(connector, self.principal.as_ref(), &[""; 0], path);
        config
            .accepts_sender(self.rights(connector), path, may_send_as)
            .map_err(|refusal| refusal.reply(self.profile))
    }

    fn check_recipient(&self, path: &ForwardPath) -> Result<RecipientClass, Reply> {
        let (config, connector) = (&self.config, self.connector()?);
        config
            .accepts_recipient(connector, self.rights(connector), path)
            .map_err(|refusal| refusal.reply(self.profile))
    }

    /// The fuller and slower the disk, the fewer senders are taken, and the later.
    async fn spool_takes_mail(&self) -> Result<(), Reply> {
        let (pressure, authenticated) = (self.core.spool.pressure(), self.principal.is_some());
        pressure.takes_mail(authenticated).map_err(|error| match error {
            StoreError::Full { resource } => out_of_room(resource),
            _ => local_error(),
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
        let class = match self.check_recipient(&forward_path) {
            Ok(class) => class,
            Err(reply) => return Answer::Reply(reply),
        };
        if class == RecipientClass::Authoritative
            && let Err(reply) = self.known(&forward_path).await
        {
            return Answer::Reply(reply);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients.push(Recipient { forward_path, parameters });
        }
        Answer::Accept
    }

    async fn known(&self, path: &ForwardPath) -> Result<(), Reply> {
        let (Some(directory), Some(mailbox)) = (&self.core.directory, path.mailbox()) else {
            return Ok(());
        };
        let lookup = directory.lookup(mailbox);
        let Ok(answer) = tokio::time::timeout(DIRECTORY_TIMEOUT, lookup).await else {
            tracing::warn!("the directory does not answer");
            return Err(local_error());
        };
        match answer {
            Ok(answer) if answer.is_known() => Ok(()),
            Ok(_) => Err(Reply::new(
                ReplyCode::MAILBOX_UNAVAILABLE,
                EnhancedStatusCode::permanent(1, 1),
                "User unknown",
            )),
            Err(unavailable) => {
                tracing::warn!(%unavailable, "recipients are put off");
                Err(local_error())
            }
        }
    }

    /// Content is about to come: opens the spool for it and writes our trace field.
    pub(super) async fn data(&mut self) -> Answer {
        let network_id = NetworkMessageId(fastrand::u128(..));
        match self.begin_intake(network_id).await {
            Ok(intake) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.intake = Some(intake);
                }
                Answer::Accept
            }
            Err(error) => Answer::Reply(store_reply(&error)),
        }
    }

    async fn begin_intake(&self, network_id: NetworkMessageId) -> Result<Intake, StoreError> {
        let Some(transaction) = &self.transaction else {
            return Err(StoreError::Unreachable("DATA without a transaction"));
        };
        let mut ingest = self.core.spool.begin(transaction.parameters.size)?;
        // [RFC 5321 §4.4-a, §4.4-f]
        // [RFC 4954 §7-a] our field stands before all others.
        let trace = self.trace_field(transaction, ingest.id());
        ingest.write(&trace).await?;
        let header_octets_max =
            usize::try_from(self.limits.header_octets_max).unwrap_or(usize::MAX);
        let limits = ScanLimits::default().with_header_octets_max(header_octets_max);
        Ok(Intake {
            ingest,
            scan: ContentScan::new(limits).with_own_host(self.name.clone()),
            trace_octets: u64::try_from(trace.len()).unwrap_or(u64::MAX),
            network_id,
            failed: None,
        })
    }

    fn trace_field(&self, transaction: &MailTransaction, id: InternalMessageId) -> Vec<u8> {
        let protocol = match self.protocol {
            ReceiveProtocol::Lmtp => TransferProtocol::LMTP,
            _ if self.esmtp => TransferProtocol::ESMTP,
            _ => TransferProtocol::SMTP,
        };
        let protocol =
            protocol.with_tls(self.tls.is_some()).with_utf8(transaction.parameters.smtputf8);
        let protocol = protocol.with_authenticated(self.principal.is_some());
        let helo = self.helo.as_deref().unwrap_or_default();
        let peer = self.peer.ip().to_canonical();
        let id = id.to_string();
        let mut field = Vec::with_capacity(256);
        Received::new(helo, peer, &self.name, protocol, self.core.clock.wall())
            .with_id(&id)
            .with_recipients(&transaction.recipients)
            .write_to(&mut field);
        field
    }

    // [RFC 5321 §3.6.3-d, §4.4-e, §4.4-h, §6.4-a] what is behind it goes on as it came.
    pub(super) async fn content(&mut self, piece: &[u8]) {
        let Some(intake) = self.transaction.as_mut().and_then(|open| open.intake.as_mut()) else {
            return;
        };
        if intake.failed.is_some() {
            return;
        }
        intake.scan.push(piece);
        if let Err(error) = intake.ingest.write(piece).await {
            intake.failed = Some(error);
        }
    }

    /// The content is complete: checks it, makes it durable, answers.
    pub(super) async fn end_of_data(&mut self) -> Answer {
        let Some(transaction) = self.transaction.take() else {
            return Answer::Reply(local_error());
        };
        match self.take_custody(transaction).await {
            Ok(reply) | Err(reply) => Answer::Reply(reply),
        }
    }

    async fn take_custody(&mut self, transaction: MailTransaction) -> Result<Reply, Reply> {
        let Some(intake) = transaction.intake else { return Err(local_error()) };
        if let Some(error) = intake.failed {
            return Err(store_reply(&error));
        }
        if intake.scan.header_too_large() {
            return Err(header_too_large());
        }
        let found = intake.scan.finish();
        self.check_hops(found.received_count, found.own_received_count)?;
        let body = intake.ingest.finish().await.map_err(|error| store_reply(&error))?;
        let (id, content) = (body.id(), body.bytes());
        let facts = ContentFacts {
            octets: found.octets.saturating_add(intake.trace_octets),
            header_octets: found.header_octets.saturating_add(intake.trace_octets),
            // Ours included.
            received_count: found.received_count.saturating_add(1),
            own_received_count: found.own_received_count.saturating_add(1),
            ..found
        };
        let message = Accepted {
            network_id: intake.network_id,
            parent: None,
            received_at: self.core.clock.wall(),
            ingress: self.ingress(),
            envelope: Envelope {
                reverse_path: transaction.reverse_path,
                parameters: transaction.parameters,
                recipients: transaction.recipients,
            },
            facts,
        };
        // [RFC 2033 §4.2-c, §4.3-b] one commit for all recipients, and none is told before it.
        let accept = Box::new(Accept { body, message: message.clone() });
        // [RFC 5321 §2.1-a, §6.1-a] durable before 250, and
        // [RFC 5321 §4.2.5-a, §4.2.5-b] gone with any other reply;
        // [RFC 5321 §6.1-g] nothing else is waited for.
        self.core
            .spool
            .commit(vec![Op::Accept(accept)], Durability::Sync)
            .await
            .map_err(|error| store_reply(&error))?;
        let reply = self.queued_reply(&message, id);
        // Of messages sent without waiting for replies, the one before is told first.
        self.submit().await;
        self.durable = Some(Durable { id, message: Arc::new(message), content });
        Ok(reply)
    }

    /// Tells of the message that became durable and gives it to the categorizer. Called when its
    /// reply has left, so that no client waits for it.
    pub(super) async fn submit(&mut self) {
        let Some(Durable { id, message, content }) = self.durable.take() else { return };
        self.core.emit(&self.receive_event(&message, id));
        if let Some(content) = content
            && !self.core.delivery_suspended.load(Ordering::Relaxed)
        {
            self.core.cache.insert(id, Fresh { message: Arc::clone(&message), content });
        }
        // The message is durable: a transport that is stopping finds it at its next start.
        let submitted = Submitted::fresh(&self.core, id, message);
        drop(self.core.submission.send(submitted).await);
    }

    fn check_hops(&self, received: u32, own: u32) -> Result<(), Reply> {
        let limits = &self.limits;
        let own_loop = limits.own_hops_max > 0 && own > limits.own_hops_max;
        if received > limits.hops_max || own_loop {
            return Err(Reply::new(
                ReplyCode::TRANSACTION_FAILED,
                EnhancedStatusCode::permanent(4, 6),
                "Hop count exceeded - possible mail loop",
            ));
        }
        Ok(())
    }

    fn ingress(&self) -> Ingress {
        Ingress {
            kind: IngressKind::Smtp,
            connector: self.connector.as_str().to_owned(),
            peer: Some(self.peer),
            helo: self.helo.clone(),
            identity: self.principal.as_ref().map(ToString::to_string),
            tls: self.tls.clone(),
            session: Some(self.session),
        }
    }

    fn queued_reply(&self, message: &Accepted, id: InternalMessageId) -> Reply {
        let name = match &message.facts.message_id {
            Some(message_id) => message_id.as_str().to_owned(),
            None => format!("<{}@{}>", message.network_id, self.name),
        };
        let host = &self.name;
        let text = format!("{name} [InternalId={id}, Hostname={host}] Queued mail for delivery");
        Reply::new(ReplyCode::OK, EnhancedStatusCode::success(6, 0), text)
    }

    fn receive_event(&self, message: &Accepted, id: InternalMessageId) -> TrackingEvent {
        let mut event = TrackingEvent::new(EventId::Receive, Source::Smtp, message.received_at);
        event.internal_id = Some(id);
        event.network_id = Some(message.network_id);
        event.message_id.clone_from(&message.facts.message_id);
        event.session = Some(self.session);
        event.connector = Some(self.connector.clone());
        event.client = Peer {
            ip: Some(self.peer.ip().to_canonical()),
            hostname: self.helo.as_deref().map(Into::into),
        };
        event.server = Peer::new(self.local.ip().to_canonical(), self.name.as_str());
        let path =
            |recipient: &Recipient| TrackedRecipient::new(recipient.forward_path.clone(), "");
        event.recipients = message.envelope.recipients.iter().map(path).collect();
        event.total_bytes = message.facts.octets;
        event.subject = message.facts.subject.as_deref().map(Into::into);
        event.sender = Some(message.envelope.reverse_path.clone());
        event.source_context = self.tls.as_deref().map(Into::into);
        event
    }
}

fn header_too_large() -> Reply {
    Reply::new(
        ReplyCode::EXCEEDED_STORAGE,
        EnhancedStatusCode::permanent(3, 4),
        "Header size exceeds fixed maximum size",
    )
}

fn out_of_room(resource: &str) -> Reply {
    Reply::new(
        ReplyCode::INSUFFICIENT_STORAGE,
        EnhancedStatusCode::transient(3, 1),
        format!("Insufficient system resources ({resource})"),
    )
}

fn local_error() -> Reply {
    Reply::new(
        ReplyCode::LOCAL_ERROR,
        EnhancedStatusCode::transient(3, 0),
        "Temporary server error, try again later",
    )
}

/// What a failure of the spool means for the client: try again.
fn store_reply(error: &StoreError) -> Reply {
    tracing::error!(%error, "the spool refused a message");
    match error {
        StoreError::Full { resource } => out_of_room(resource),
        _ => local_error(),
    }
}
