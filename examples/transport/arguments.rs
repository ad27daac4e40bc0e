//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use transom::AcceptedDomain;
use transom::connector::{RemoteRange, SmartHost};
use transom::types::Secret;

/// What `--help` says.
pub(crate) const HELP: &str = "\
usage: transport [FLAGS]
  --config FILE            take connectors, domains and limits from FILE, in TOML or JSON, and
                           again at SIGHUP; its agent \"mailbox\" delivers into Maildirs
  --directory FILE         who the recipients are, in TOML
  --secret NAME:FILE       the password that the configuration calls NAME (repeatable)
  --listen ADDR            take mail at ADDR (repeatable); samples are off then
  --listen-tls ADDR        take mail at ADDR, in TLS from the first octet (repeatable)
  --cert FILE --key FILE   the certificate for TLS, in PEM; else one is made
  --accepted-domain DOMAIN deliver mail for DOMAIN into Maildirs (repeatable)
  --mail DIR               where the Maildirs are
  --relay-domain DOMAIN    take mail for DOMAIN and relay it (repeatable)
  --smart-host HOST:PORT   relay to this host instead of the MX hosts; what may be relayed
                           is for the other flags: without one of them, nothing
  --relay-from CIDR        peers that may relay anywhere (repeatable)
  --auth USER:PASS         who logs in so, in TLS, may relay anywhere (repeatable)
  --spool DIR              where accepted mail is kept
  --log-dir DIR            where the message tracking log is written
  --message-size-max N     largest message, in octets (at least 1)
  --suspend-delivery       take mail and hold it
  --no-samples             do not send the sample messages
  --once                   end when the samples have their outcome
Folders that are not named are made in a temporary one.";

/// The flags, checked.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) config: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) secrets: Vec<(String, PathBuf)>,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) listen_tls: Vec<SocketAddr>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) accepted_domains: Vec<AcceptedDomain>,
    pub(crate) mail: Option<PathBuf>,
    pub(crate) relay_domains: Vec<AcceptedDomain>,
    pub(crate) smart_host: Option<SmartHost>,
    pub(crate) relay_from: Vec<RemoteRange>,
    pub(crate) users: Vec<(String, Secret)>,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) log_dir: Option<PathBuf>,
    pub(crate) message_size_max: Option<NonZeroU64>,
    pub(crate) suspend_delivery: bool,
    pub(crate) samples: bool,
    pub(crate) once: bool,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Parsed {
    Help,
    Run(Box<Arguments>),
}

impl Arguments {
    /// Reads the flags. The error is one line that names the flag and the value.
    pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Parsed, String> {
        let words: Vec<String> = words.map(text).collect::<Result<_, _>>()?;
        let mut words = words.into_iter();
        let mut arguments = Self { samples: true, ..Self::default() };
        let (mut cert, mut key) = (None, None);
        while let Some(flag) = words.next() {
            match flag.as_str() {
                "--help" | "-h" => return Ok(Parsed::Help),
                "--suspend-delivery" => arguments.suspend_delivery = true,
                "--no-samples" => arguments.samples = false,
                "--once" => arguments.once = true,
                "--cert" => cert = Some(PathBuf::from(value(&flag, &mut words)?)),
                "--key" => key = Some(PathBuf::from(value(&flag, &mut words)?)),
                _ => arguments.with_value(&flag, &mut words)?,
            }
        }
        arguments.certificate = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("--cert and --key go together".to_owned()),
        };
        arguments.refuse_beside_config()?;
        let listens = !arguments.listen.is_empty() || !arguments.listen_tls.is_empty();
        if listens || arguments.config.is_some() {
            arguments.samples = false;
        }
        if arguments.once && !arguments.samples {
            return Err("--once waits for the samples, which are off".to_owned());
        }
        if arguments.once && arguments.suspend_delivery {
            return Err("--once waits for the samples, which --suspend-delivery holds".to_owned());
        }
        Ok(Parsed::Run(Box::new(arguments)))
    }

    /// What a file says, no flag says too.
    fn refuse_beside_config(&self) -> Result<(), String> {
        let given = [
            ("--listen", !self.listen.is_empty()),
            ("--listen-tls", !self.listen_tls.is_empty()),
            ("--accepted-domain", !self.accepted_domains.is_empty()),
            ("--relay-domain", !self.relay_domains.is_empty()),
            ("--smart-host", self.smart_host.is_some()),
            ("--relay-from", !self.relay_from.is_empty()),
            ("--message-size-max", self.message_size_max.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) if self.config.is_some() => {
                Err(format!("{flag} does not go with --config, which says it"))
            }
            _ => Ok(()),
        }
    }

    fn with_value(
        &mut self,
        flag: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), String> {
        let mut value = || value(flag, words);
        match flag {
            "--config" => self.config = Some(value()?.into()),
            "--directory" => self.directory = Some(value()?.into()),
            "--secret" => self.secrets.push(secret(&value()?)?),
            "--listen" => self.listen.push(parsed(flag, &value()?)?),
            "--listen-tls" => self.listen_tls.push(parsed(flag, &value()?)?),
            "--accepted-domain" => {
                self.accepted_domains.push(domain(flag, &value()?, AcceptedDomain::authoritative)?);
            }
            "--mail" => self.mail = Some(value()?.into()),
            "--relay-domain" => {
                self.relay_domains.push(domain(flag, &value()?, AcceptedDomain::internal_relay)?);
            }
            "--smart-host" => self.smart_host = Some(parsed(flag, &value()?)?),
            "--relay-from" => self.relay_from.push(parsed(flag, &value()?)?),
            "--auth" => self.users.push(user(&value()?)?),
            "--spool" => self.spool = Some(value()?.into()),
            "--log-dir" => self.log_dir = Some(value()?.into()),
            "--message-size-max" => self.message_size_max = Some(octets(flag, &value()?)?),
            _ => return Err(format!("unknown flag {flag}; --help lists the flags")),
        }
        Ok(())
    }
}

fn text(word: OsString) -> Result<String, String> {
    word.into_string().map_err(|word| format!("{}: is no UTF-8", word.display()))
}

fn value(flag: &str, words: &mut impl Iterator<Item = String>) -> Result<String, String> {
    words.next().ok_or_else(|| format!("{flag} needs a value"))
}

fn secret(value: &str) -> Result<(String, PathBuf), String> {
    match value.split_once(':') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), file.into()))
        }
        _ => Err(format!("--secret {value}: must be NAME:FILE")),
    }
}

/// The error does not repeat the value, which may be a password.
fn user(value: &str) -> Result<(String, Secret), String> {
    match value.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => {
            Ok((user.to_owned(), Secret::new(password.as_bytes())))
        }
        _ => Err("--auth needs USER:PASS".to_owned()),
    }
}

fn parsed<T: std::str::FromStr<Err: std::error::Error>>(
    flag: &str,
    value: &str,
) -> Result<T, String> {
    value.parse().map_err(|error| format!("{flag} {value}: {error}"))
}

/// None at all is not "without limit".
fn octets(flag: &str, value: &str) -> Result<NonZeroU64, String> {
    let octets = parsed(flag, value)?;
    NonZeroU64::new(octets).ok_or_else(|| format!("{flag} {value}: must be at least 1"))
}

fn domain<E: std::error::Error>(
    flag: &str,
    value: &str,
    make: impl Fn(&str) -> Result<AcceptedDomain, E>,
) -> Result<AcceptedDomain, String> {
    make(value).map_err(|error| format!("{flag} {value}: {error}"))
}
