//! DKIM on the command line: makes keys, signs, verifies. Content comes by standard input, with LF
//! or CRLF; a zone is a text file that stands for the DNS.
//!
//! ```text
//! dkim newkey > KEY                          a new Ed25519 key
//! dkim record KEY                            its TXT record
//! dkim sign DOMAIN SELECTOR=KEY... < MESSAGE the message, signed
//! dkim verify ZONE < MESSAGE                 a line for each signature; exit code 1 without a pass
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool prints")]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures::executor::block_on;
use transom_dns::Zone;
use transom_mailauth::dkim::{
    AuthenticationScan, DkimSigner, DkimVerdict, KeyCache, ScannedContent, SigningKey, verify,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("dkim: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Result<bool, Box<dyn Error>> {
    match arguments {
        ["newkey"] => print!("{}", SigningKey::generate_ed25519()?.as_str()),
        ["record", key] => println!("{}", read_key(key)?.dns_record()),
        ["sign", domain, keys @ ..] => {
            let mut signer = DkimSigner::new(domain)?;
            for key in keys {
                let (selector, file) = key.split_once('=').ok_or("a key is SELECTOR=FILE")?;
                signer = signer.with_key(selector, read_key(file)?)?;
            }
            let message = read_message()?;
            let signature = signer.sign(&scan(&message), unix_seconds()?)?;
            let mut out = std::io::stdout().lock();
            out.write_all(signature.as_bytes())?;
            out.write_all(&message)?;
        }
        ["verify", zone] => return judge(&std::fs::read_to_string(zone)?.parse()?),
        _ => return Err("newkey | record KEY | sign DOMAIN SELECTOR=KEY... | verify ZONE".into()),
    }
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "a tool reads the clock")]
fn judge(zone: &Zone) -> Result<bool, Box<dyn Error>> {
    let content = scan(&read_message()?);
    let keys = block_on(KeyCache::new().fetch(content.key_names(), zone, Instant::now()));
    let verdicts = verify(&content, &keys, unix_seconds()?);
    for verdict in &verdicts {
        let why = verdict.problem.as_ref().map(|problem| format!(" ({problem})"));
        let algorithm = verdict.algorithm.map_or("unknown", |algorithm| algorithm.as_str());
        let (domain, selector) = (&verdict.domain, &verdict.selector);
        println!("{} {domain} {selector} {algorithm}{}", verdict.result, why.unwrap_or_default());
    }
    Ok(verdicts.iter().any(DkimVerdict::is_pass))
}

fn read_key(file: &str) -> Result<SigningKey, Box<dyn Error>> {
    let pem = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    Ok(SigningKey::from_pem(&pem).map_err(|error| format!("{file}: {error}"))?)
}

/// Standard input with CRLF.
fn read_message() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut text = Vec::new();
    std::io::stdin().lock().read_to_end(&mut text)?;
    let lines = text.split_inclusive(|octet| *octet == b'\n').map(|line| match line {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => [text, b"\r\n"].concat(),
        text => text.to_vec(),
    });
    Ok(lines.collect::<Vec<_>>().concat())
}

fn scan(content: &[u8]) -> ScannedContent {
    let mut scan = AuthenticationScan::signing();
    scan.update(content);
    scan.finish()
}

#[expect(clippy::disallowed_methods, reason = "a tool reads the clock")]
fn unix_seconds() -> Result<u64, Box<dyn Error>> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}
