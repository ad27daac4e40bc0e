//! Starts the transport, shows what happens, and stops it when it is told to.

use std::error::Error;
use std::fs::File;
use std::io::{IsTerminal, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use transom::connector::Rights;
use transom::queue::RecoveryReport;
use transom::types::Secret;
use transom::{
    Certificate, Maildir, MemoryAuthenticator, ReceiveConnector, ReceiveLimits, ReceiveTls,
    SendConnector, Transport, TransportBuilder,
};

use crate::arguments::Arguments;
use crate::samples::{self, Samples};
use crate::{files, say};

/// How long a stop waits for what is under way.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Runs until the samples are done (`--once`), Ctrl-C or SIGTERM. False when a sample did not
/// get its outcome.
pub(crate) async fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut folders = Folders::new(arguments)?;
    check_folder("--mail", &folders.mail)?;
    check_folder("--log-dir", &folders.log)?;
    let samples =
        if arguments.samples { Some(Samples::start(folders.root.path()).await?) } else { None };
    let transport = builder(arguments, &folders, samples.as_ref())?.start().await?;
    let named = [&arguments.spool, &arguments.mail, &arguments.log_dir];
    let in_use = arguments.samples || named.iter().any(|folder| folder.is_none());
    // From here on mail may be in it.
    folders.root.disable_cleanup(in_use);
    say_where(arguments, &transport, &folders);
    let mut good = true;
    if let Some(samples) = &samples {
        good = samples.send_all(transport.local_addresses()).await?;
        samples::show_queues(&transport).await;
    }
    if !arguments.once {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => reload(arguments, &transport).await,
            }
        }
        say("stopping");
    }
    let report = transport.shutdown(STOP_DEADLINE).await;
    if let Some(samples) = samples {
        samples.stop(STOP_DEADLINE).await;
    }
    if !report.in_time {
        say(&format!("{} tasks were cut off; the spool keeps their mail", report.cut_off));
    }
    if let Some(stats) = report.spool {
        say(&format!(
            "spool: {} commits, {} batches, {} fsyncs, {} octets written, {} messages left",
            stats.commits, stats.batches, stats.fsyncs, stats.octets_written, stats.messages
        ));
    }
    Ok(good)
}

/// Reads the configuration anew. Where something is wrong with it, the one in force stays.
async fn reload(arguments: &Arguments, transport: &Transport) {
    let reloaded = match files::configuration(arguments) {
        Ok(Some(configuration)) => {
            let reloaded = transport.reload(configuration).await;
            reloaded.map_err(|error| error.to_string())
        }
        Ok(None) => Err("there is no --config to read anew".to_owned()),
        Err(wrong) => Err(wrong),
    };
    match reloaded {
        Ok(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            say(&format!("reloaded; listening at {}", addresses.join(", ")));
        }
        Err(wrong) => say(&format!("not reloaded: {wrong}")),
    }
}

/// Where things are kept.
pub(crate) struct Folders {
    /// For those that are not named. Goes when nothing is in it.
    pub(crate) root: TempDir,
    pub(crate) spool: PathBuf,
    pub(crate) mail: PathBuf,
    pub(crate) log: PathBuf,
}

impl Folders {
    fn new(arguments: &Arguments) -> std::io::Result<Self> {
        let root = tempfile::Builder::new().prefix("transom-").tempdir()?;
        let named = |folder: &Option<PathBuf>, name: &str| {
            folder.clone().unwrap_or_else(|| root.path().join(name))
        };
        Ok(Self {
            spool: named(&arguments.spool, "spool"),
            mail: named(&arguments.mail, "mail"),
            log: named(&arguments.log_dir, "log"),
            root,
        })
    }
}

fn builder(
    arguments: &Arguments,
    folders: &Folders,
    samples: Option<&Samples>,
) -> Result<TransportBuilder, Box<dyn Error>> {
    let configuration = files::configuration(arguments)?;
    let name = match &configuration {
        Some(configuration) => configuration.server_name.to_string(),
        None => host_name(arguments.samples),
    };
    let mut builder = Transport::builder(&name)
        .spool(&folders.spool)
        .tracking_log(&folders.log)
        .suspend_delivery(arguments.suspend_delivery)
        .certificate(certificate(arguments, &name)?);
    if !arguments.users.is_empty() {
        builder = builder.authenticator(users(arguments)?);
    }
    if let Some(directory) = files::directory(arguments)? {
        builder = builder.directory(directory);
    }
    if !arguments.secrets.is_empty() {
        builder = builder.secrets(files::secrets(arguments)?);
    }
    if let Some(configuration) = configuration {
        let none: [&str; 0] = [];
        let maildir = Maildir::new(&folders.mail);
        return Ok(on_console(builder.configuration(configuration))
            .delivery_agent("mailbox", none, maildir));
    }
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
    } else {
        builder = on_console(builder);
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

/// Shows events where somebody looks.
fn on_console(builder: TransportBuilder) -> TransportBuilder {
    if std::io::stdout().is_terminal() {
        builder.event_sink(samples::Console::default())
    } else {
        builder
    }
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

/// Who may log in. Only what checks a password is kept of it.
fn users(arguments: &Arguments) -> Result<MemoryAuthenticator, Box<dyn Error>> {
    let mut random = File::open("/dev/urandom")?;
    let mut octets = [0; 16];
    random.read_exact(&mut octets)?;
    let mut users = MemoryAuthenticator::new(Secret::new(octets));
    for (name, password) in &arguments.users {
        random.read_exact(&mut octets)?;
        users = users
            .with_user(name, password, &octets)
            .map_err(|error| format!("--auth {}: {error}", name.escape_debug()))?;
    }
    Ok(users)
}

/// For each address a connector for everybody and, where peers may relay, one for them.
fn receive_connectors(arguments: &Arguments) -> Vec<ReceiveConnector> {
    let mut limits = ReceiveLimits::default();
    if let Some(octets) = arguments.message_size_max {
        limits = limits.with_message_octets_max(octets.get());
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
            let mut permissions = connector.permissions;
            if !arguments.users.is_empty() {
                // Any sender: a user of the command line has a name and no address.
                let users = Rights::EXCHANGE_USERS | Rights::ACCEPT_ANY_SENDER;
                permissions = permissions.with_authenticated(users);
            }
            *connector = connector
                .clone()
                .with_tls(tls)
                .with_limits(limits.clone())
                .with_permissions(permissions);
        }
    }
    connectors
}

/// Folders are made when something is put into them, which is late for somebody who mistyped a
/// name.
fn check_folder(flag: &str, folder: &Path) -> Result<(), String> {
    let there = folder.ancestors().find(|ancestor| ancestor.exists());
    match there {
        Some(there) if !there.is_dir() => {
            Err(format!("{flag} {}: {} is no folder", folder.display(), there.display()))
        }
        _ => Ok(()),
    }
}

fn say_where(arguments: &Arguments, transport: &Transport, folders: &Folders) {
    let found: &RecoveryReport = transport.recovery();
    let show = |folder: &PathBuf| folder.display().to_string();
    say(&format!("spool {}: {} messages waited in it", show(&folders.spool), found.messages));
    say(&format!("mail {}, log {}", show(&folders.mail), show(&folders.log)));
    let domains = arguments.accepted_domains.iter().chain(&arguments.relay_domains);
    let domain = domains.map(|accepted| accepted.domain.to_string()).next();
    let domain = domain.or_else(|| arguments.samples.then(|| samples::OUR_DOMAIN.to_owned()));
    let tls = |address| arguments.listen_tls.contains(address);
    for address in transport.local_addresses() {
        if arguments.config.is_some() {
            say(&format!("listening at {address}"));
            continue;
        }
        let Some(domain) = &domain else {
            say(&format!("listening at {address}; no --accepted-domain and no --relay-domain"));
            continue;
        };
        let how = if tls(address) { " --tls-on-connect" } else { "" };
        say(&format!("listening at {address}; send to it with"));
        say(&format!("  swaks --server {address}{how} --to ann@{domain}"));
    }
}
