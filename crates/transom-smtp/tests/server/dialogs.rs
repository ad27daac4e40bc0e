//! Runs `tests/dialogs/*.smtp`: each whole, by line, octet by octet and in random chunks, with the
//! same result.
//!
//! A line of a dialog begins with
//! - `C:` the client sends the line and CRLF; `C>` it sends the text with `\r`, `\n`, `\0` and
//!   `\xHH` made octets and nothing behind it; `C!` it ends its side. Client lines without a server
//!   line between them are one group.
//! - `S:` the server says exactly this line; `S~` a line with this in it. Behind the last of them
//!   it has said nothing more.
//! - `A:` the application answers the next event of this name with this reply; `A: Each` the next
//!   end of data with a reply for each recipient, parted by ` | `.
//! - `E:` events, notices and contents in order. A dialog with one names all.
//! - `T:` time passes (`+5m`, `+30s`). `X:` the server shuts down.
//! - `!` the session is closed, for this reason.
//! - `@` an option: see `option`. `#` a comment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use transom_smtp::Protocol;
use transom_smtp::codec::ExtensionRegistry;
use transom_smtp::codec::data::BareNewline;
use transom_smtp::codec::ehlo::FutureReleaseOffer;
use transom_smtp::server::{Extensions, OwnKeyword, ReplyProfile, ServerConfig};

use crate::driver::{Driver, config, offer, reply};

#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    ByLine,
    ByOctet,
    Random(u64),
}

// [RFC 2033 §4.1-a, §4.2-a, §4.2-b, §4.3-a, §5-a] test: lmtp*.smtp
// [RFC 3030 §3-a, §3-b] test: binary_mime.smtp
// [RFC 8689 §2-d] test: requiretls.smtp
#[test]
fn dialogs_run_the_same_in_any_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "smtp"))
        .collect();
    files.sort();
    assert!(files.len() >= 15, "only {} dialogs were found", files.len());
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let mut cuts = vec![Cut::Whole];
        // What a peer must not send before a reply shows only where it arrives before the reply.
        if !text.lines().any(|line| line == "@ whole") {
            cuts.extend([Cut::ByLine, Cut::ByOctet]);
            cuts.extend((1..=20).map(Cut::Random));
        }
        for cut in cuts {
            run(&format!("{name}, {cut:?}"), &text, cut);
        }
    }
}

fn run(name: &str, text: &str, cut: Cut) {
    let lines: Vec<&str> = text.lines().collect();
    let mut driver =
        Driver::silent(lines.iter().fold(config(), |config, line| match line.strip_prefix("@ ") {
            Some(text) => option(config, text),
            None => config,
        }));
    let mut started = lines.contains(&"@ silent");
    let mut group = Vec::new();
    let mut events = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let at = format!("{name}, line {}: {line}", number + 1);
        let (kind, rest) = line.split_at(line.len().min(2));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if !started && matches!(kind, "C:" | "S:" | "S~" | "X:") {
            started = true;
            driver.run();
        }
        match kind {
            "A:" => {
                let (event, line) = rest.split_once(' ').unwrap();
                match event {
                    "Each" => driver.each.push_back(line.split(" | ").map(reply).collect()),
                    _ => driver.answers.push_back((event.into(), reply(line))),
                }
            }
            "C:" => group.extend_from_slice(format!("{rest}\r\n").as_bytes()),
            "C>" => group.extend_from_slice(&unescape(rest)),
            _ => {
                feed(&mut driver, &std::mem::take(&mut group), cut);
                control(&mut driver, kind, rest, &mut events, &at);
            }
        }
        let next = lines.get(number + 1).copied().unwrap_or("");
        if kind.starts_with('S') && !next.starts_with('S') {
            assert_eq!(driver.take(), "", "{at}: more was said");
        }
    }
    feed(&mut driver, &group, cut);
    assert_eq!(driver.take(), "", "{name}: more was said at the end");
    assert!(driver.answers.is_empty(), "{name}: unused answers {:?}", driver.answers);
    assert!(driver.each.is_empty(), "{name}: unused answers {:?}", driver.each);
    if !events.is_empty() {
        assert_eq!(driver.trace, events, "{name}");
    }
}

fn control(driver: &mut Driver, kind: &str, rest: &str, events: &mut Vec<String>, at: &str) {
    match kind {
        "C!" => {
            driver.session.handle_eof(driver.now);
            driver.run();
        }
        "S:" => assert_eq!(next_line(driver), rest, "{at}"),
        "S~" => {
            let said = next_line(driver);
            assert!(said.contains(rest), "{at}: but said {said:?}");
        }
        "E:" => events.push(rest.into()),
        "T:" => driver.advance(span(rest)),
        "X:" => {
            driver.session.shutdown();
            driver.run();
        }
        "! " => {
            let why = driver.closed.map(|why| format!("{why:?}"));
            assert_eq!(why.as_deref(), Some(rest), "{at}");
        }
        "@ " | "# " | "#" | "" => {}
        _ => panic!("{at}: no line of a dialog"),
    }
}

/// `@` options: one setting each.
fn option(config: ServerConfig, text: &str) -> ServerConfig {
    let (extensions, limits) = (config.extensions, config.limits);
    let (name, value) = text.split_once(' ').unwrap_or((text, ""));
    let number = || value.parse::<u32>().unwrap();
    match name {
        "whole" | "silent" => config,
        "require_tls" => config.with_require_tls(true),
        "normalize" => config.with_bare_newline(BareNewline::Normalize),
        "size" => config.with_extensions(extensions.with_size(Some(number().into()))),
        "auth" => config.with_auth(offer()),
        "auth_in_clear" => config.with_auth(offer().danger_offer_plaintext_auth_without_tls(true)),
        "dsn" => config.with_extensions(extensions.with_dsn(true)),
        "starttls" => config.with_extensions(extensions.with_starttls(true)),
        "no_chunking" => config.with_extensions(extensions.with_chunking(false)),
        "no_enhanced" => config.with_extensions(extensions.with_enhanced_status_codes(false)),
        "no_extensions" => config.with_extensions(
            extensions
                .with_size(None)
                .with_pipelining(false)
                .with_eight_bit_mime(false)
                .with_chunking(false)
                .with_smtputf8(false),
        ),
        "exchange" => config.with_replies(ReplyProfile::exchange()),
        "lmtp" => config.with_protocol(Protocol::Lmtp),
        "own" => own(config),
        "recipients_max" => config.with_limits(limits.with_recipients_max(number())),
        "errors_max" => config.with_limits(limits.with_errors_max(number())),
        "junk_max" => config.with_limits(limits.with_junk_max(number())),
        "transactions_max" => config.with_limits(limits.with_transactions_max(number())),
        "error_delay" => config.with_limits(limits.with_error_delay(span("1s"), span("5s"))),
        "tarpit" => config.with_limits(limits.with_tarpit_interval(span(value))),
        _ => config.with_extensions(extension(extensions, name, value)),
    }
}

/// `@` options that switch extensions.
fn extension(extensions: Extensions, name: &str, value: &str) -> Extensions {
    match name {
        "binarymime" => extensions.with_binary_mime(true),
        "deliverby" => extensions.with_deliver_by(Some(value.parse().unwrap())),
        "etrn" => extensions.with_etrn(true),
        "expn" => extensions.with_expn(true),
        "futurerelease" => {
            let (interval, until) = value.split_once(' ').unwrap();
            extensions.with_future_release(Some(FutureReleaseOffer {
                interval_max: interval.parse().unwrap(),
                until_max: until.parse().unwrap(),
            }))
        }
        "mt_priority" => extensions.with_mt_priority(true),
        "no_limits" => extensions.with_limits(false),
        "requiretls" => extensions.with_require_tls(true),
        "rrvs" => extensions.with_rrvs(true),
        "size_not_told" => extensions.with_size_told(false),
        "xclient" => extensions.with_xclient(true),
        "xforward" => extensions.with_xforward(true),
        _ => panic!("unknown option {name}"),
    }
}

/// What a host program may add.
fn own(config: ServerConfig) -> ServerConfig {
    let registry = ExtensionRegistry::new().with_verb("XPING").unwrap();
    let registry = registry.with_mail_parameter("XTENANT").unwrap();
    config
        .with_registry(registry.with_rcpt_parameter("XFOLDER").unwrap())
        .with_keyword(OwnKeyword::new("XTENANT contoso fabrikam").unwrap())
        .with_keyword(OwnKeyword::new("XPING").unwrap())
}

fn next_line(driver: &mut Driver) -> String {
    let end = driver.out.windows(2).position(|pair| pair == b"\r\n");
    let Some(end) = end else { return format!("nothing but {:?}", driver.take()) };
    let line: Vec<u8> = driver.out.drain(..end + 2).take(end).collect();
    String::from_utf8(line).unwrap()
}

fn feed(driver: &mut Driver, octets: &[u8], cut: Cut) {
    let pieces: Vec<&[u8]> = match cut {
        Cut::Whole if octets.is_empty() => vec![],
        Cut::Whole => vec![octets],
        Cut::ByLine => octets.split_inclusive(|&octet| octet == b'\n').collect(),
        Cut::ByOctet => octets.chunks(1).collect(),
        Cut::Random(seed) => random_pieces(octets, seed),
    };
    for piece in pieces {
        driver.feed(piece);
    }
}

fn random_pieces(mut octets: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut pieces = Vec::new();
    while !octets.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let length = usize::try_from(state % 12).unwrap().clamp(1, octets.len());
        let (piece, rest) = octets.split_at(length);
        pieces.push(piece);
        octets = rest;
    }
    pieces
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        octets.push(match rest.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b'0' => 0,
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    octets
}

fn span(text: &str) -> Duration {
    let number = text.trim_start_matches('+').trim_end_matches(['m', 's']).parse().unwrap();
    if text.ends_with('m') { Duration::from_secs(60 * number) } else { Duration::from_secs(number) }
}
