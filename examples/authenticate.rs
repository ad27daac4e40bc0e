//! Judges one message as a server would that got it from a client: prints all verdicts as one line
//! of JSON, and the field Authentication-Results behind it.
//!
//! ```text
//! cargo run --release --example authenticate -- \
//!     --ip 192.0.2.1 --helo mx.contoso.com --from ann@contoso.com [--zone FILE] <MESSAGE
//! ```
#![expect(clippy::disallowed_methods, reason = "a driver has a clock")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "it talks to a person")]

use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use transom::dns::{HickoryResolver, Resolver, Zone};
use transom::message::HeaderSection;
use transom_mailauth::dkim::{AuthenticationScan, DkimAlgorithm, KeyCache};
use transom_mailauth::policy::{AuthPolicy, Decision};
use transom_mailauth::results::ResultsStyle;
use transom_mailauth::spf::SpfOutcome;
use transom_mailauth::verdicts::{ClientAddress, Facts, Forwarder, Trust, Verdicts};
use transom_types::Reply;

const HELP: &str = "\
usage: authenticate --ip IP --helo NAME --from ADDRESS [OPTION..] <MESSAGE
Judges the message that comes by standard input by SPF, DKIM, ARC and DMARC, and prints the
verdicts as one line of JSON, then the field Authentication-Results.
  --ip IP          the client's address
  --helo NAME      what it calls itself
  --from ADDRESS   the sender in MAIL FROM; <> or nothing is the null sender
  --rcpt ADDRESS   a recipient, any number of times
  --zone FILE      a text in place of the DNS, one `NAME TYPE DATA` a line
  --now SECONDS    the time, in seconds of Unix time
  --name NAME      our name in the field (mx.localhost)
  --style exchange the field in the words of Exchange
  --own DOMAIN     a domain of ours, any number of times
  --sealer DOMAIN  an ARC sealer that is trusted, any number of times
  --trusted RANGE  a gateway of ours: who it has the message from is judged in its place
Ends with 0 when there are verdicts, whatever they are, with 2 when something is wrong.";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(&words).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("authenticate: {wrong}");
            ExitCode::from(2)
        }
    }
}

/// What the command line says.
#[derive(Default)]
struct Options {
    ip: Option<IpAddr>,
    helo: Option<String>,
    from: Option<String>,
    recipients: Vec<String>,
    zone: Option<String>,
    now: Option<u64>,
    name: Option<String>,
    style: ResultsStyle,
    trust: Trust,
    gateways: Vec<ipnet::IpNet>,
}

impl Options {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value; see --help"))?;
            let wrong = |what: &str| format!("{word} {value}: no {what}");
            match word.as_str() {
                "--ip" => options.ip = Some(value.parse().map_err(|_| wrong("address"))?),
                "--helo" => options.helo = Some(value.clone()),
                "--from" => {
                    let bare = value.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
                    options.from = Some(bare.unwrap_or(value).to_owned());
                }
                "--rcpt" => options.recipients.push(value.clone()),
                "--zone" => options.zone = Some(value.clone()),
                "--now" => options.now = Some(value.parse().map_err(|_| wrong("time"))?),
                "--name" => options.name = Some(value.clone()),
                "--style" if value == "exchange" => options.style = ResultsStyle::Exchange,
                "--own" => {
                    options.trust.own_domains.push(value.parse().map_err(|_| wrong("domain"))?);
                }
                "--sealer" => {
                    options.trust.sealers.push(value.parse().map_err(|_| wrong("domain"))?);
                }
                "--trusted" => options.gateways.push(value.parse().map_err(|_| wrong("range"))?),
                _ => return Err(format!("{word} {value} is not known; see --help")),
            }
        }
        Ok(options)
    }
}

async fn run(words: &[String]) -> Result<(), String> {
    let options = Options::parse(words)?;
    let needed = |what: &str| format!("{what} is needed; --help says more");
    let peer = options.ip.ok_or_else(|| needed("--ip"))?;
    let helo = options.helo.ok_or_else(|| needed("--helo"))?;
    let sender = options.from.ok_or_else(|| needed("--from"))?;
    let name = options.name.as_deref().unwrap_or("mx.localhost");
    let resolver = resolver(options.zone.as_deref())?;
    let mut message = Vec::new();
    io::stdin().read_to_end(&mut message).map_err(|error| format!("standard input: {error}"))?;
    let message = with_crlf(&message);
    let mut scan = AuthenticationScan::verifying();
    scan.update(&message);
    let (content, headers) = (scan.finish(), HeaderSection::parse(&message));
    let judged = client(peer, &headers, &options.gateways)?;
    let helo = judged.helo.unwrap_or(helo);
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = options.now.unwrap_or_else(clock);
    let facts = Facts::new(judged.ip, &helo, &sender, name, now);
    let (keys, instant) = (KeyCache::new(), Instant::now());
    let verdicts = Verdicts::authenticate(
        facts,
        &content,
        &headers,
        &options.trust,
        &keys,
        &*resolver,
        instant,
    )
    .await;
    let decision = AuthPolicy::default().with_trust(options.trust).decide(&verdicts);
    let results = verdicts.results(name, options.style);
    let mut json = described(&verdicts, &decision);
    if let Some(map) = json.as_object_mut() {
        map.insert("rcpt".to_owned(), json!(options.recipients));
        map.insert("authentication_results".to_owned(), json!(results.to_string()));
    }
    let mut printed = format!("{json}\n").into_bytes();
    results.write_to(&mut printed);
    io::stdout().write_all(&printed).map_err(|error| format!("standard output: {error}"))
}

fn client(
    peer: IpAddr,
    headers: &HeaderSection<'_>,
    gateways: &[ipnet::IpNet],
) -> Result<ClientAddress, String> {
    let nobody = || "the message comes from gateways of ours alone, so nobody is to be judged";
    ClientAddress::find(peer, headers, gateways).ok_or_else(|| nobody().to_owned())
}

fn resolver(zone: Option<&str>) -> Result<Arc<dyn Resolver>, String> {
    let Some(path) = zone else {
        let resolver = HickoryResolver::from_system_conf().map_err(|error| error.to_string())?;
        return Ok(Arc::new(resolver));
    };
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let zone: Zone = text.parse().map_err(|error| format!("{path}: {error}"))?;
    Ok(Arc::new(zone))
}

/// On the wire, where signatures are made, every line ends with CR and LF.
fn with_crlf(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) if !text.ends_with(b"\r") => {
                wire.extend_from_slice(text);
                wire.extend_from_slice(b"\r\n");
            }
            _ => wire.extend_from_slice(line),
        }
    }
    wire
}

fn described(verdicts: &Verdicts, decision: &Decision) -> Value {
    let spf = |outcome: &SpfOutcome| {
        json!({
            "result": outcome.result.as_str(),
            "domain": outcome.domain,
            "mechanism": outcome.mechanism,
            "problem": outcome.problem.as_ref().map(ToString::to_string),
            "explanation": outcome.explanation,
        })
    };
    let signatures = verdicts.dkim.iter().map(|verdict| {
        json!({
            "result": verdict.result.as_str(),
            "problem": verdict.problem.as_ref().map(ToString::to_string),
            "domain": verdict.domain,
            "selector": verdict.selector,
            "identity": verdict.identity,
            "algorithm": verdict.algorithm.map(DkimAlgorithm::as_str),
            "key_bits": verdict.key_bits,
            "testing": verdict.testing,
        })
    });
    let instances = verdicts.arc.instances.iter().map(|instance| {
        let (domain, selector, results) = (&instance.domain, &instance.selector, &instance.results);
        json!({ "domain": domain, "selector": selector, "results": results })
    });
    let dmarc = &verdicts.dmarc;
    let findings = decision.findings.iter().map(|finding| {
        let (check, action) = (finding.check.as_str(), finding.action.as_str());
        json!({ "check": check, "action": action, "reason": finding.reason })
    });
    let forwarder = verdicts.forwarder.as_ref().map(|forwarder| match forwarder {
        Forwarder::Network(ip) => ip.to_string(),
        Forwarder::Sealer(domain) => domain.clone(),
        other => format!("{other:?}"),
    });
    json!({
        "client": verdicts.facts.client,
        "helo": verdicts.facts.helo,
        "mail_from": verdicts.facts.mail_from,
        "spf": { "helo": spf(&verdicts.spf.helo), "mail_from": spf(&verdicts.spf.mail_from) },
        "dkim": signatures.collect::<Vec<_>>(),
        "arc": {
            "result": verdicts.arc.result.as_str(),
            "problem": verdicts.arc.problem.as_ref().map(ToString::to_string),
            "instances": instances.collect::<Vec<_>>(),
        },
        "dmarc": {
            "result": dmarc.result.as_str(),
            "author": dmarc.author.as_ref().map(ToString::to_string),
            "policy_domain": dmarc.policy_domain.as_ref().map(ToString::to_string),
            "policy": dmarc.policy.as_str(),
            "requested": dmarc.requested().as_str(),
            "spf_aligned": dmarc.spf_aligned,
            "dkim_aligned": dmarc.dkim_aligned.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "would_pass": dmarc.would_pass,
            "problem": dmarc.problem.as_ref().map(ToString::to_string),
        },
        "forwarder": forwarder,
        "compauth": {
            "result": verdicts.composite.result.as_str(),
            "reason": format!("{:03}", verdicts.composite.reason),
        },
        "decision": {
            "action": decision.action.as_str(),
            "reply": decision.refusal().map(Reply::to_line),
            "findings": findings.collect::<Vec<_>>(),
        },
    })
}
