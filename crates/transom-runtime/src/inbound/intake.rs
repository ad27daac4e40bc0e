//! Content: on its way into the spool, and what is found about it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use transom_agent::{AgentEvent, ContentSource, HeaderFamilies, MessagePlan, ReceiveStep};
use transom_connector::{ReceiveProtocol, Refusal};
use transom_message::{ContentScan, HeaderSection, Received, ScanLimits, TransferProtocol};
use transom_queue::{Content, ContentFacts, Ingest, Ingested, StoreError};
use transom_types::{Envelope, InternalMessageId, NetworkMessageId};

use super::envelope::MailTransaction;
use super::reception::Reception;
use super::refusal::{Answer, Refused, local_error, store_reply};

/// Content on its way into the spool.
pub(super) struct Intake {
    ingest: Box<dyn Ingest>,
    scan: ContentScan,
    /// The header section of the client, as far as it came.
    headers: Vec<u8>,
    trace_octets: u64,
    network_id: NetworkMessageId,
    /// The first error; what comes behind it is thrown away.
    failed: Option<StoreError>,
}

/// A content that is complete, before anybody has custody of it.
pub(super) struct Complete {
    pub(super) body: Ingested,
    pub(super) facts: ContentFacts,
    pub(super) trace_octets: u64,
    pub(super) network_id: NetworkMessageId,
}

impl Reception {
    /// Content is about to come: opens the spool for it and writes our trace field.
    pub(super) async fn data(&mut self) -> Answer {
        let done = self.begin_content().await;
        self.answer(AgentEvent::Data, done).await
    }

    async fn begin_content(&mut self) -> Result<(), Refused> {
        self.ask(ReceiveStep::Data).await?;
        let network_id = NetworkMessageId(fastrand::u128(..));
        let intake = self.begin_intake(network_id).await;
        let intake = intake.map_err(|error| self.refused("spool", store_reply(&error)))?;
        if let Some(transaction) = &mut self.transaction {
            transaction.intake = Some(intake);
        }
        Ok(())
    }

    async fn begin_intake(&self, network_id: NetworkMessageId) -> Result<Intake, StoreError> {
        let (Some(transaction), Ok(connector)) = (&self.transaction, self.connector()) else {
            return Err(StoreError::Unreachable("DATA without a transaction"));
        };
        let mut ingest = self.core.spool.begin(transaction.parameters.size)?;
        // [RFC 5321 §4.4-a, §4.4-f]
        // [RFC 4954 §7-a] our field stands before all others.
        let trace = self.trace_field(transaction, ingest.id());
        ingest.write(&trace).await?;
        let header_octets_max =
            usize::try_from(connector.limits.header_octets_max).unwrap_or(usize::MAX);
        let limits = ScanLimits::default().with_header_octets_max(header_octets_max);
        Ok(Intake {
            ingest,
            scan: ContentScan::new(limits).with_own_host(self.name.clone()),
            headers: Vec::new(),
            trace_octets: count(trace.len()),
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
            protocol.with_tls(self.view.tls.is_some()).with_utf8(transaction.parameters.smtputf8);
        let protocol = protocol.with_authenticated(self.view.principal.is_some());
        let helo = self.view.helo.as_deref().unwrap_or_default();
        let peer = self.view.remote.ip().to_canonical();
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
        let is_header = intake.scan.header_octets().is_none();
        intake.scan.push(piece);
        if is_header {
            // Of the piece in which the section ends, what is behind it is not kept.
            intake.headers.extend_from_slice(match intake.scan.header_octets() {
                Some(end) => {
                    let left = end.saturating_sub(count(intake.headers.len()));
                    let left = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
                    piece.get(..left).unwrap_or_default()
                }
                None => piece,
            });
        }
        if let Err(error) = intake.ingest.write(piece).await {
            intake.failed = Some(error);
        }
    }

    /// The content is complete: checks it, shows it to the agents, makes it durable, answers.
    pub(super) async fn end_of_data(&mut self) -> Answer {
        let taken = self.take().await;
        self.transaction = None;
        match taken {
            Ok(reply) => Answer::Reply(reply),
            Err(refused) => self.refuse(AgentEvent::EndOfData, refused).await,
        }
    }

    async fn take(&mut self) -> Result<transom_types::Reply, Refused> {
        let intake = self.transaction.as_mut().and_then(|open| open.intake.take());
        let Some(intake) = intake else { return Err(local_error().into()) };
        if let Some(error) = intake.failed {
            return Err(self.refused("spool", store_reply(&error)));
        }
        if intake.scan.header_too_large() {
            return Err(self.refused_for(Refusal::HeaderSize));
        }
        let found = intake.scan.finish();
        let limits = &self.connector()?.limits;
        limits
            .accepts_hops(found.received_count, found.own_received_count)
            .map_err(|refusal| self.refused_for(refusal))?;
        self.judge_size(found.octets).await?;
        let body = intake.ingest.finish().await;
        let body = body.map_err(|error| self.refused("spool", store_reply(&error)))?;
        let complete = Complete {
            body,
            facts: ContentFacts {
                octets: found.octets.saturating_add(intake.trace_octets),
                header_octets: found.header_octets.saturating_add(intake.trace_octets),
                // Ours included.
                received_count: found.received_count.saturating_add(1),
                own_received_count: found.own_received_count.saturating_add(1),
                ..found
            },
            trace_octets: intake.trace_octets,
            network_id: intake.network_id,
        };
        self.show(&complete, intake.headers.into()).await?;
        let transaction = self.transaction.take().ok_or_else(local_error)?;
        self.take_custody(*transaction, complete).await
    }

    /// Shows headers and content to the agents. Where none is asked but the firewall, it is asked
    /// only about a message that has something for it.
    async fn show(&mut self, complete: &Complete, headers: Bytes) -> Result<(), Refused> {
        let kept = self.view.kept_headers;
        let Some(transaction) = &mut self.transaction else { return Err(local_error().into()) };
        if transaction.plan.is_none() {
            if !has_strangers(&headers, kept) {
                return Ok(());
            }
            let envelope = Envelope {
                reverse_path: transaction.reverse_path.clone(),
                parameters: transaction.parameters.clone(),
                recipients: transaction.recipients.clone(),
            };
            let places = 0..u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX);
            let plan = MessagePlan::of_envelope(&envelope, places);
            transaction.plan = Some(Box::new(plan));
        }
        if let Some(plan) = &mut transaction.plan {
            plan.set_ids(complete.body.id(), complete.network_id);
            plan.set_headers(headers);
        }
        self.ask_always(ReceiveStep::EndOfHeaders).await?;
        if !self.core.asked_at.contains(AgentEvent::EndOfData) {
            return Ok(());
        }
        let plan = self.transaction.as_mut().and_then(|open| open.plan.as_mut());
        if let Some(plan) = plan {
            let content = complete.body.content();
            let content = content.map_err(|error| Refused::from(store_reply(&error)))?;
            plan.set_content(Arc::new(Behind { content, skip: complete.trace_octets }));
        }
        self.ask_always(ReceiveStep::EndOfData).await
    }
}

/// Whether the firewall has something to do.
fn has_strangers(headers: &[u8], kept: HeaderFamilies) -> bool {
    if kept.contains(HeaderFamilies::ALL) {
        return false;
    }
    let routing = !kept.contains(HeaderFamilies::ROUTING);
    HeaderSection::parse(headers).fields().any(|field| {
        let name = field.name();
        let begins = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        begins("X-MS-Exchange-") || (routing && (field.is("Received") || begins("Resent-")))
    })
}

/// The content of the client: what stands behind our trace field.
struct Behind {
    content: Content,
    skip: u64,
}

impl ContentSource for Behind {
    fn len(&self) -> u64 {
        self.content.octets().saturating_sub(self.skip)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let at = offset.saturating_add(self.skip);
        self.content.read_at(at, buf).map_err(io::Error::other)
    }
}

pub(super) fn count(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}
