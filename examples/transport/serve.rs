//! Starts the transport, shows what happens, and stops it when it is told to.

use std::error::Error;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use transom::queue::{RecoveryReport, SegLog, SegLogOptions};
use transom::{
    Certificate, Maildir, ReceiveConnector, ReceiveLimits, ReceiveTls, SendConnector, Transport,
    TransportBuilder,
};

use crate::arguments::Arguments;
use crate::samples::{self, Samples};

/// How long a stop waits for what is under way.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Runs until the samples are done (`--once`), Ctrl-C or SIGTERM. False when a sample did not
/// get its outcome.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let folders = Folders::new(arguments);
    let samples = if arguments.samples { Some(Samples::start(&folders.root).await?) } else { None };
    // The port is checked before the spool is touched, by the transport itself.
    let spool = Arc::new(SegLog::open_dir(&folders.spool, SegLogOptions::default())?);
    let builder = builder(arguments, &folders, samples.as_ref())?.store(spool.clone());
    let transport = builder.start().await?;
    say_where(&transport, &folders);
    let mut good = true;
    if let Some(samples) = &samples {
        good = samples.send_all(transport.local_addresses()).await?;
        samples::show_queues(&transport).await;
    }
    if !arguments.once {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        println!("stopping");
    }
    let report = transport.shutdown(STOP_DEADLINE).await;
    if let Some(samples) = samples {
        samples.stop(STOP_DEADLINE).await;
    }
    if !report.in_time {
        println!("{} tasks were cut off; the spool keeps their mail", report.cut_off);
    }
    let stats = spool.stats();
    println!(
        "spool: {} commits, {} batches, {} fsyncs, {} octets written, {} messages left",
        stats.commits, stats.batches, stats.fsyncs, stats.octets_written, stats.messages
    );
    Ok(good)
}

/// Where things are kept.
pub(crate) struct Folders {
    pub(crate) root: PathBuf,
    pub(crate) spool: PathBuf,
    pub(crate) mail: PathBuf,
    pub(crate) log: PathBuf,
}

impl Folders {
    fn new(arguments: &Arguments) -> Self {
        let root = std::env::temp_dir().join(format!("transom-{}", std::process::id()));
        let named = |folder: &Option<PathBuf>, name: &str| {
            folder.clone().unwrap_or_else(|| root.join(name))
        };
        Self {
            spool: named(&arguments.spool, "spool"),
            mail: named(&arguments.mail, "mail"),
            log: named(&arguments.log_dir, "log"),
            root,
        }
    }
}

fn builder(
    arguments: &Arguments,
    folders: &Folders,
    samples: Option<&Samples>,
) -> Result<TransportBuilder, Box<dyn Error>> {
    let name = host_name(arguments.samples);
    let mut builder = Transport::builder(&name)
        .tracking_log(&folders.log)
        .suspend_delivery(arguments.suspend_delivery)
        .certificate(certificate(arguments, &name)?);
    for connector in receive_connectors(arguments) {
        builder = builder.receive_connector(connector);
    }
    for domain in arguments.accepted_domains.iter().chain(&arguments.relay_domains) {
        builder = builder.accepted_domain(domain.clone());
    }
    let domains = arguments.accepted_domains.iter().map(|accepted| accepted.domain.to_string());
    let mut domains: Vec<String> = domains.collect();
    if let Some(samples) = samples {
        builder = samples.configure(builder)?;
        domains.push(samples::OUR_DOMAIN.to_owned());
    } else if std::io::stdout().is_terminal() {
        builder = builder.event_sink(samples::Console::default());
    }
    if !domains.is_empty() {
        builder = builder.delivery_agent("mailbox", domains, Maildir::new(&folders.mail));
    }
    Ok(builder.send_connector(match &arguments.smart_host {
        Some(host) => {
            SendConnector::smart_hosts("smart host", vec!["*".parse()?], vec![host.clone()])
        }
        None => SendConnector::internet(),
    }))
}

/// The name that greetings and trace fields say.
fn host_name(samples: bool) -> String {
    if samples {
        return format!("mx1.{}", samples::OUR_DOMAIN);
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_domain = name.trim().parse::<transom::types::Domain>().is_ok();
    if is_domain { name.trim().to_owned() } else { "localhost".to_owned() }
}

fn certificate(arguments: &Arguments, name: &str) -> Result<Certificate, Box<dyn Error>> {
    Ok(match &arguments.certificate {
        Some((chain, key)) => Certificate::from_pem_files(chain, key)?,
        None => Certificate::self_signed(&[name])?,
    })
}

/// For each address a connector for everybody and, where peers may relay, one for them.
fn receive_connectors(arguments: &Arguments) -> Vec<ReceiveConnector> {
    let mut limits = ReceiveLimits::default();
    if let Some(octets) = arguments.message_size_max {
        limits = limits.with_message_octets_max(octets);
    }
    let plain = arguments.listen.iter().map(|address| (*address, ReceiveTls::Offered));
    let tls = arguments.listen_tls.iter().map(|address| (*address, ReceiveTls::Implicit));
    let mut addresses: Vec<_> = plain.chain(tls).collect();
    if addresses.is_empty() {
        addresses.push((SocketAddr::from(([127, 0, 0, 1], 0)), ReceiveTls::Offered));
    }
    let mut connectors = Vec::new();
    for (address, tls) in addresses {
        connectors.push(ReceiveConnector::internet(address));
        if !arguments.relay_from.is_empty() {
            connectors.push(ReceiveConnector::relay(address, arguments.relay_from.clone()));
        }
        for connector in connectors.iter_mut().filter(|c| c.bindings.contains(&address)) {
            *connector = connector.clone().with_tls(tls).with_limits(limits.clone());
        }
    }
    connectors
}

fn say_where(transport: &Transport, folders: &Folders) {
    let found: &RecoveryReport = transport.recovery();
    println!("spool {}: {} messages waited in it", show(&folders.spool), found.messages);
    println!("mail {}, log {}", show(&folders.mail), show(&folders.log));
    for address in transport.local_addresses() {
        println!("listening at {address}; send to it with");
        println!("  swaks --server {address} --to ann@{}", samples::OUR_DOMAIN);
    }
}

fn show(path: &Path) -> std::path::Display<'_> {
    path.display()
}
