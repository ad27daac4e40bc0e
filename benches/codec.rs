//! Question: how long does a command line take to parse, and how fast is the content of DATA
//! decoded, beside the crate `smtp-proto` in the same run?
//!
//! `cargo bench --bench codec`. Both sides get a buffer that begins with the line, CRLF included,
//! and look for its end themselves. Ours checks each value that stands in the line as it will be
//! used (mailbox, xtext, NOTIFY, ..), finds duplicates, and refuses bare CR, bare LF and NUL in
//! content; theirs does what it does. Aim: at most 0.6 of its time a command, without allocation,
//! and at least its rate for content, which ours hands out as pieces of the input (with the feature
//! `simd`) and theirs as a copy. The table behind the groups has the ratios.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench reads the clock, prints what it measured, and may panic on its own input"
)]

use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use smtp_proto::Request;
use smtp_proto::request::receiver::DataReceiver;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use transom_smtp::codec::data::{BareNewline, ContentDecoder, ContentPiece};
use transom_smtp::codec::{CommandRef, ExtensionRegistry};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const COMMANDS: [(&str, &[u8]); 5] = [
    ("EHLO", b"EHLO mail-out-17.example.com\r\n"),
    ("MAIL", b"MAIL FROM:<john.smith@contoso.example>\r\n"),
    (
        "MAIL with five parameters",
        b"MAIL FROM:<john.smith@contoso.example> SIZE=123456 BODY=8BITMIME SMTPUTF8 RET=HDRS \
          ENVID=QQ314159\r\n",
    ),
    ("RCPT", b"RCPT TO:<bob.jones@fabrikam.example>\r\n"),
    (
        "RCPT with DSN parameters",
        b"RCPT TO:<bob.jones@fabrikam.example> NOTIFY=SUCCESS,FAILURE \
          ORCPT=rfc822;bob.jones@fabrikam.example\r\n",
    ),
];

const CONTENT_OCTETS: usize = 1 << 20;
/// What we aim at, as a part of their time.
const COMMAND_RATIO_MAX: f64 = 0.6;

static REGISTRY: ExtensionRegistry = ExtensionRegistry::new();

fn ours(buffer: &[u8]) -> CommandRef<'_> {
    let end = memchr::memchr(b'\n', buffer).unwrap();
    let line = buffer[..end].strip_suffix(b"\r").unwrap();
    CommandRef::parse(line, &REGISTRY).unwrap()
}

fn theirs(buffer: &[u8]) -> Request<std::borrow::Cow<'_, str>> {
    Request::parse(&mut buffer.iter()).unwrap()
}

/// Lines of 76 octets, as base64 has them, then the end of data.
fn content() -> Vec<u8> {
    let mut content = Vec::with_capacity(CONTENT_OCTETS + 80);
    while content.len() < CONTENT_OCTETS {
        content.extend_from_slice(&[b'A'; 76]);
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(b".\r\n");
    content
}

/// Pieces of the input, as our spool takes them.
fn ours_in_place(content: &[u8]) -> usize {
    let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
    let (mut at, mut octets) = (0, 0);
    loop {
        let step = decoder.decode(&content[at..]);
        at += step.consumed;
        match step.piece {
            ContentPiece::Content(piece) => octets += black_box(piece).len(),
            ContentPiece::End => return octets,
            other => unreachable!("{other:?}"),
        }
    }
}

/// A copy in a buffer, as `smtp-proto` has it.
fn ours_copied(content: &[u8], buffer: &mut Vec<u8>) {
    let mut decoder = ContentDecoder::for_data(BareNewline::Reject);
    let mut at = 0;
    loop {
        let step = decoder.decode(&content[at..]);
        at += step.consumed;
        match step.piece {
            ContentPiece::Content(piece) => buffer.extend_from_slice(piece),
            ContentPiece::End => return,
            other => unreachable!("{other:?}"),
        }
    }
}

fn theirs_copied(content: &[u8], buffer: &mut Vec<u8>) {
    assert!(DataReceiver::new().ingest(&mut content.iter(), buffer));
}

fn groups(criterion: &mut Criterion) {
    for (name, line) in COMMANDS {
        let mut group = criterion.benchmark_group(format!("codec/{name}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("transom", |b| b.iter(|| ours(black_box(line))));
        group.bench_function("smtp-proto", |b| b.iter(|| theirs(black_box(line))));
        group.finish();
    }
    let content = content();
    let mut buffer = Vec::with_capacity(content.len());
    let mut group = criterion.benchmark_group("codec/DATA of 1 MiB");
    group.throughput(Throughput::Bytes(content.len() as u64));
    group.bench_function("transom, in place", |b| b.iter(|| ours_in_place(black_box(&content))));
    group.bench_function("transom, copied", |b| {
        b.iter(|| {
            buffer.clear();
            ours_copied(black_box(&content), &mut buffer);
        });
    });
    group.bench_function("smtp-proto, copied", |b| {
        b.iter(|| {
            buffer.clear();
            theirs_copied(black_box(&content), &mut buffer);
        });
    });
    group.finish();
}

/// The two sides in turn, so that what else runs on the machine hits both; the least time of each
/// counts.
fn least(rounds: u32, calls: u32, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (f64, f64) {
    let (mut least_ours, mut least_theirs) = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        let start = Instant::now();
        (0..calls).for_each(|_| ours());
        least_ours = least_ours.min(start.elapsed());
        let start = Instant::now();
        (0..calls).for_each(|_| theirs());
        least_theirs = least_theirs.min(start.elapsed());
    }
    let nanoseconds = |least: Duration| least.as_secs_f64() * 1e9 / f64::from(calls);
    (nanoseconds(least_ours), nanoseconds(least_theirs))
}

fn allocations(mut run: impl FnMut()) -> usize {
    let region = Region::new(ALLOCATOR);
    run();
    region.change().allocations
}

fn table() {
    println!(
        "| command | transom ns | smtp-proto ns | ratio | aim | allocations, ours and theirs |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, line) in COMMANDS {
        let (our, their) = least(
            300,
            2_000,
            || drop(black_box(ours(black_box(line)))),
            || drop(black_box(theirs(black_box(line)))),
        );
        let ratio = our / their;
        let aim = if ratio <= COMMAND_RATIO_MAX { "met" } else { "missed" };
        let our_allocations = allocations(|| drop(black_box(ours(line))));
        let their_allocations = allocations(|| drop(black_box(theirs(line))));
        println!(
            "| {name} | {our:.1} | {their:.1} | {ratio:.2} | <= 0.6 {aim} | {our_allocations}, \
             {their_allocations} |"
        );
    }
    let content = content();
    let (mut buffer, mut their_buffer) =
        (Vec::with_capacity(content.len()), Vec::with_capacity(content.len()));
    let (our, their) = least(
        300,
        1,
        || {
            buffer.clear();
            ours_copied(black_box(&content), &mut buffer);
        },
        || {
            their_buffer.clear();
            theirs_copied(black_box(&content), &mut their_buffer);
        },
    );
    let (in_place, _) = least(300, 1, || _ = black_box(ours_in_place(black_box(&content))), || ());
    let rate = |nanoseconds: f64| content.len() as f64 / nanoseconds;
    println!("DATA of 1 MiB: smtp-proto {:.1} GB/s into a buffer, the one way it has", rate(their));
    for (how, nanoseconds) in [("handed out in place", in_place), ("copied into a buffer", our)] {
        let ratio = their / nanoseconds;
        let aim = if ratio >= 1.0 { "met" } else { "missed" };
        println!(
            "  transom, {how}: {:.1} GB/s, ratio {ratio:.2} (>= 1.0 {aim})",
            rate(nanoseconds)
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    groups(&mut criterion);
    criterion.final_summary();
    table();
}
