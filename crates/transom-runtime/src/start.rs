//! Puts a transport together and lets it run.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transom_agent::{
    AgentEvent, AgentEvents, AgentMode, Agents, DeliveryAgent, HeaderFamilies, HeaderFirewall,
};
use transom_connector::{
    CheckedConfiguration, ReceiveConnector, ReceiveTls, SendDelivery, TlsAuthLevel,
};
use transom_dns::{HickoryResolver, Resolver, Zone};
use transom_queue::{
    Durability, LoadedMessage, MemoryOptions, MemorySpool, Op, POISON_ACTOR, RecipientState,
    RecoveryReport, Scheduler, SegLog, SettlePolicy, Spool, StoreError, recover,
};
use transom_routing::LocalIdentity;
use transom_tracking::{EventId, Source, TrackingEvent};
use transom_types::{DeliveryType, Mailbox, NextHop};

use crate::admin;
use crate::body_cache::BodyCache;
use crate::builder::{Parts, SpoolPlace, StartError, TransportBuilder};
use crate::categorize::{self, Submitted};
use crate::clock::ClockOfAgents;
use crate::core::Core;
use crate::damage;
use crate::dispatcher::{self, Entering, Request};
use crate::inbound::{Authentication, Listeners};
use crate::lint;
use crate::outbound::SmartHosts;
use crate::submission::{self, Submission};
use crate::tls::Tls;
use crate::tracking_log::TrackingLog;
use crate::transport::Transport;

/// Messages accepted and not yet categorized. Full: sessions wait with their `250`.
const SUBMISSION_CAPACITY: usize = 1024;

/// Requests to the dispatcher. Full: categorizer and connections wait.
const DISPATCHER_CAPACITY: usize = 4096;

/// Outcomes of one commit at start: far below the largest group.
const RECOVERY_BATCH: usize = 256;

/// What can be wrong without touching the spool comes first.
pub(crate) async fn start(mut builder: TransportBuilder) -> Result<Transport, StartError> {
    let config = builder.gather()?.check()?;
    let mut parts = builder.parts;
    let roots = parts.trusted_roots.take();
    let tls = Tls::new(parts.provider.take(), parts.certificate.as_ref(), roots)?;
    check(&config, tls.may_accept(), tls.may_judge(), parts.secrets.is_some())?;
    let has_resolver = parts.resolver.is_some() || asks_dns(&config);
    let resolver = resolver(&config, parts.resolver.take())?;
    lint(&config, &parts, tls.may_accept())?;
    let bindings = config.listen_addresses();
    let opened = Listeners::default().open(&bindings);
    let opened = opened.map_err(|(address, error)| StartError::Bind { address, error })?;
    let spool = open_spool(&parts.spool)?;
    if let Some(log) = open_log(&parts)? {
        parts.sinks.push(Arc::new(log));
    }
    let settle_policy = settle_policy(&config)?.with_profile(parts.profile.clone());
    let asked_at = asked_at(&parts);
    let pipeline = pipeline(&mut parts)?;
    let core_parts =
        CoreParts { config, settle_policy, tls, resolver, spool, pipeline, asked_at, has_resolver };
    let (core, channels) = core(core_parts, &mut parts);
    let mut scheduler = scheduler(&core, parts);
    let (recovery, later) = load(&core, &mut scheduler).await?;
    let later = end_removals(&core, &mut scheduler, later);
    let addresses = core.listeners.lock().await.serve(&core, &bindings, opened);
    let known = identity(&core.config(), &addresses, core.private_addresses);
    *core.identity.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    run(&core, scheduler, channels, later);
    core.spawn(damage::watch(Arc::clone(&core), recovery.damages.clone()));
    Ok(Transport::new(core, addresses, recovery))
}

/// Steps of a session at which an agent of the host program is asked.
fn asked_at(parts: &Parts) -> AgentEvents {
    let asked = |event: &AgentEvent| {
        let mut agents = parts.receive_agents.iter();
        !event.is_after_acceptance()
            && agents.any(|(settings, agent)| {
                settings.mode != AgentMode::Off && agent.events().contains(*event)
            })
    };
    AgentEvents::of(&AgentEvent::ALL.into_iter().filter(asked).collect::<Vec<_>>())
}

/// Agents on the way in and through, the header firewall among them.
fn pipeline(parts: &mut Parts) -> Result<Agents, StartError> {
    let clock = Arc::new(ClockOfAgents(Arc::clone(&parts.clock)));
    // What is ours goes to our own mailboxes and leaves us nowhere: a transport has no other
    // servers of its organization yet.
    let sends = |next_hop: &NextHop| match next_hop.kind {
        DeliveryType::DeliveryAgent => HeaderFamilies::ALL,
        _ => HeaderFamilies::ROUTING,
    };
    let firewall = Arc::new(HeaderFirewall::new(sends));
    let mut agents = Agents::builder(clock)
        .receive(HeaderFirewall::inbound_settings(), Arc::<HeaderFirewall>::clone(&firewall))
        .routing(HeaderFirewall::outbound_settings(), firewall);
    for (settings, agent) in parts.receive_agents.drain(..) {
        agents = agents.receive(settings, agent);
    }
    for (settings, agent) in parts.routing_agents.drain(..) {
        agents = agents.routing(settings, agent);
    }
    Ok(agents.build()?)
}

fn scheduler(core: &Core, parts: Parts) -> Scheduler {
    let options = parts.scheduler.with_profile(parts.profile).with_seed(fastrand::u64(..));
    let mut scheduler = Scheduler::new(options);
    for (destination, limit) in parts.rate_limits {
        scheduler.limit_rate(core.clock.now(), &destination, Some(limit));
    }
    if parts.suspend_delivery {
        scheduler.suspend_all();
    }
    scheduler
}

/// Whether all is there that the configuration needs.
pub(crate) fn check(
    config: &CheckedConfiguration,
    may_accept: bool,
    may_judge: bool,
    has_secrets: bool,
) -> Result<(), StartError> {
    demand_certificate(config, may_accept)?;
    demand_roots(config, may_judge)?;
    check_send_connectors(config, has_secrets)
}

fn demand_certificate(config: &CheckedConfiguration, have: bool) -> Result<(), StartError> {
    let demands = |tls| matches!(tls, ReceiveTls::Required | ReceiveTls::Implicit);
    let demanding = config.receive_connectors().iter().find(|connector| demands(connector.tls));
    match demanding {
        Some(connector) if !have => {
            Err(StartError::NoCertificate { connector: connector.name.to_string() })
        }
        _ => Ok(()),
    }
}

/// Who the client is must be found out where rights follow from it.
fn demand_roots(config: &CheckedConfiguration, may_judge: bool) -> Result<(), StartError> {
    let names = |connector: &&ReceiveConnector| {
        !connector.server_domains.is_empty() || !connector.partner_domains.is_empty()
    };
    let naming = config.receive_connectors().iter().filter(|connector| connector.enabled);
    match naming.into_iter().find(names) {
        Some(connector) if !may_judge => {
            Err(StartError::NoTrustedRoots { connector: connector.name.to_string() })
        }
        _ => Ok(()),
    }
}

/// What send connectors promise must be kept, or mail would go where it should not.
fn check_send_connectors(config: &CheckedConfiguration, secrets: bool) -> Result<(), StartError> {
    for connector in config.send_connectors().iter().filter(|connector| connector.enabled) {
        let name = || connector.name.to_string();
        if connector.tls_auth_level != TlsAuthLevel::EncryptionOnly {
            return Err(StartError::TlsAuthLevel { connector: name() });
        }
        if connector.smart_host_auth.credential().is_some() && !secrets {
            return Err(StartError::NoSecrets { connector: name() });
        }
    }
    Ok(())
}

/// Whether a connector asks the DNS.
pub(crate) fn asks_dns(config: &CheckedConfiguration) -> bool {
    let asks = |delivery: &SendDelivery| match delivery {
        SendDelivery::Dns => true,
        SendDelivery::SmartHosts(hosts) => hosts.iter().any(|host| host.host.domain().is_some()),
        _ => false,
    };
    config.send_connectors().iter().any(|connector| asks(&connector.delivery))
}

/// Whether lint finds nothing that keeps a transport from starting.
fn lint(config: &CheckedConfiguration, parts: &Parts, may_accept: bool) -> Result<(), StartError> {
    let host = lint::Host {
        agents: parts.agents.keys().map(String::as_str).collect(),
        authenticates: parts.authenticator.is_some(),
        has_certificate: may_accept,
        has_directory: parts.directory.is_some(),
    };
    lint::check(config, host)
}

/// The resolver that was given, or the system's where one is needed.
fn resolver(
    config: &CheckedConfiguration,
    given: Option<Arc<dyn Resolver>>,
) -> Result<Arc<dyn Resolver>, StartError> {
    if let Some(given) = given {
        return Ok(given);
    }
    if !asks_dns(config) {
        return Ok(Arc::new(Zone::default()));
    }
    let system = HickoryResolver::from_system_conf();
    Ok(Arc::new(system.map_err(|error| StartError::Resolver(error.to_string()))?))
}

fn open_spool(place: &SpoolPlace) -> Result<Arc<dyn Spool>, StartError> {
    Ok(match place {
        SpoolPlace::Memory => Arc::new(MemorySpool::new(MemoryOptions::default())),
        SpoolPlace::Folder(folder, options) => Arc::new(SegLog::open_dir(folder, options.clone())?),
        SpoolPlace::Given(spool) => Arc::clone(spool),
    })
}

fn open_log(parts: &Parts) -> Result<Option<TrackingLog>, StartError> {
    let Some(folder) = &parts.log_folder else { return Ok(None) };
    let opened = TrackingLog::open(folder, parts.rotation, Arc::clone(&parts.clock));
    match opened {
        Ok(log) => Ok(Some(log)),
        Err(error) => Err(StartError::Log { folder: folder.clone(), error }),
    }
}

struct CoreParts {
    config: CheckedConfiguration,
    settle_policy: SettlePolicy,
    tls: Tls,
    resolver: Arc<dyn Resolver>,
    spool: Arc<dyn Spool>,
    pipeline: Agents,
    asked_at: AgentEvents,
    has_resolver: bool,
}

struct Channels {
    submission: mpsc::Receiver<Submitted>,
    dispatcher: mpsc::Receiver<Request>,
}

fn core(given: CoreParts, parts: &mut Parts) -> (Arc<Core>, Channels) {
    let CoreParts { config, settle_policy, tls, resolver, spool, .. } = given;
    let CoreParts { pipeline, asked_at, has_resolver, .. } = given;
    let (submission, submitted) = mpsc::channel(SUBMISSION_CAPACITY);
    let (dispatcher, requests) = mpsc::channel(DISPATCHER_CAPACITY);
    let domains = parts.agents.iter();
    let agent_domains =
        domains.map(|(name, (domains, _))| (name.clone(), domains.clone())).collect();
    let agents: HashMap<String, Arc<dyn DeliveryAgent>> =
        parts.agents.drain().map(|(name, (_, agent))| (name, agent)).collect();
    let core = Core {
        // Nothing is sent before the listeners are known.
        identity: RwLock::new(Arc::new(identity(&config, &[], parts.private_addresses))),
        agent_domains,
        listeners: Mutex::default(),
        has_resolver,
        private_addresses: parts.private_addresses,
        settle_policy,
        secrets: parts.secrets.take(),
        smart_hosts: Arc::new(SmartHosts::new(&config)),
        config: RwLock::new(Arc::new(config)),
        spool,
        clock: Arc::clone(&parts.clock),
        sinks: std::mem::take(&mut parts.sinks),
        agents,
        pipeline,
        asked_at,
        directory: parts.directory.take(),
        authentication: parts.authenticator.take().map(|users| Authentication::new(users, &tls)),
        resolver,
        tls,
        cache: BodyCache::default(),
        delivery_suspended: AtomicBool::new(parts.suspend_delivery),
        buffers: Arc::default(),
        verbs: Mutex::default(),
        poison: std::sync::Mutex::default(),
        redirects: std::sync::Mutex::default(),
        submission: Submission::new(submission),
        dispatcher,
        stop: CancellationToken::new(),
        abort: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };
    (Arc::new(core), Channels { submission: submitted, dispatcher: requests })
}

/// Our names and where we listen, so that mail is not sent to ourselves.
pub(crate) fn identity(
    config: &CheckedConfiguration,
    addresses: &[SocketAddr],
    private_addresses: bool,
) -> LocalIdentity {
    let mut identity =
        LocalIdentity::default().with_danger_accept_private_addresses(private_addresses);
    let own = config.receive_connectors().iter().map(|c| config.receive_fqdn(c));
    for name in own.chain([config.server_name()]) {
        if let Ok(name) = name.as_str().parse() {
            identity = identity.with_name(name);
        }
    }
    for address in addresses {
        identity = identity.with_address(*address);
    }
    identity
}

fn settle_policy(config: &CheckedConfiguration) -> Result<SettlePolicy, StartError> {
    let postmaster: Mailbox = format!("postmaster@{}", config.default_domain())
        .parse()
        .map_err(StartError::Postmaster)?;
    Ok(SettlePolicy::new(config.server_name().clone(), postmaster))
}

/// Puts every message of the spool back where it was. What needs more than a look comes back as
/// a list for the categorizer.
async fn load(
    core: &Arc<Core>,
    scheduler: &mut Scheduler,
) -> Result<(RecoveryReport, Vec<Submitted>), StartError> {
    let (wall, now) = (core.clock.wall(), core.clock.now());
    admin::restore_suspended_queues(core, scheduler);
    *core.redirects() = admin::restore_redirects(core);
    let (mut ops, mut events, mut later) = (Vec::new(), Vec::new(), Vec::new());
    let report = core.spool.load(&mut |loaded: LoadedMessage| {
        let found = recover(&loaded, &core.settle_policy, wall, now, fastrand::u64(..));
        core.emit(&load_event(core, &loaded));
        ops.extend(found.op);
        events.extend(found.events);
        if loaded.state.suspended.as_deref() == Some(POISON_ACTOR) {
            // Categorizing it may be what ends the process: it waits for an administrator.
            events.push(poison_event(core, &loaded));
            core.poison().insert(loaded.id);
            return;
        }
        let submitted = Submitted {
            id: loaded.id,
            message: Arc::new(loaded.message),
            state: loaded.state,
            units: found.units,
            deadlines: found.deadlines,
            suspended: found.suspended,
        };
        // What was attempted before Submission was suspended was in a delivery queue.
        let attempted = |state: &RecipientState| state.attempts > 0 || state.outcome.is_some();
        let untried = !submitted.state.recipients.iter().any(attempted);
        let entering = if core.submission.is_suspended() && untried {
            Some(submission::held(&submitted))
        } else {
            categorize::at_once(core, &submitted)
        };
        match entering {
            Some(entering) => {
                for Entering { unit, suspended } in entering {
                    let message = unit.message;
                    scheduler.enqueue(now, unit);
                    if suspended {
                        scheduler.suspend_message(now, message);
                    }
                }
            }
            None => later.push(submitted),
        }
    });
    let report = report.map_err(StartError::SpoolRead)?;
    write_doubts(core, ops).await.map_err(StartError::SpoolRead)?;
    for event in &events {
        core.emit(event);
    }
    // A doubt is in the log before the attempt that may make a duplicate of it.
    let logged = Arc::clone(core);
    let flushed = tokio::task::spawn_blocking(move || {
        for sink in &logged.sinks {
            sink.flush();
        }
    });
    drop(flushed.await);
    Ok((report, later))
}

/// Goes on with removals that waited for the end of an attempt: a restart has ended it. Gives the
/// messages that stay.
fn end_removals(
    core: &Arc<Core>,
    scheduler: &mut Scheduler,
    later: Vec<Submitted>,
) -> Vec<Submitted> {
    let removals = admin::restore_removals(core);
    let now = core.clock.now();
    let mut left = Vec::with_capacity(later.len());
    let mut gone = Vec::new();
    for submitted in later {
        if removals.contains_key(&submitted.id) {
            let units = submitted.units.into_iter();
            gone.push((submitted.id, units.flat_map(|unit| unit.recipients).collect()));
        } else {
            left.push(submitted);
        }
    }
    gone.extend(removals.keys().map(|id| (*id, scheduler.remove(now, *id))));
    for (id, recipients) in gone {
        if let Some(removing) = removals.get(&id) {
            core.spawn(admin::remove(Arc::clone(core), id, recipients, removing.clone()));
        }
    }
    left
}

/// Doubt is written down before anything is attempted again.
async fn write_doubts(core: &Core, ops: Vec<Op>) -> Result<(), StoreError> {
    let mut ops = ops.into_iter().peekable();
    while ops.peek().is_some() {
        let batch = ops.by_ref().take(RECOVERY_BATCH).collect();
        core.spool.commit(batch, Durability::Sync).await?;
    }
    Ok(())
}

fn poison_event(core: &Core, loaded: &LoadedMessage) -> TrackingEvent {
    let mut event = load_event(core, loaded);
    event.event = EventId::PoisonMessage;
    event
}

fn load_event(core: &Core, loaded: &LoadedMessage) -> TrackingEvent {
    let mut event = TrackingEvent::new(EventId::Load, Source::Bootloader, core.clock.wall());
    event.internal_id = Some(loaded.id);
    event.network_id = Some(loaded.message.network_id);
    event.message_id.clone_from(&loaded.message.facts.message_id);
    event.total_bytes = loaded.message.facts.octets;
    event.sender = Some(loaded.message.envelope.reverse_path.clone());
    event
}

/// Lets every task run.
fn run(core: &Arc<Core>, scheduler: Scheduler, channels: Channels, later: Vec<Submitted>) {
    core.spawn(dispatcher::run(Arc::clone(core), scheduler, channels.dispatcher));
    let submission = Arc::new(Mutex::new(channels.submission));
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get() * 2);
    for _ in 0..workers {
        core.spawn(categorize::work(Arc::clone(core), Arc::clone(&submission)));
    }
    let submitter = Arc::clone(core);
    core.spawn(async move {
        for submitted in later {
            if submitter.submission.send(submitted).await.is_err() {
                return;
            }
        }
    });
}
