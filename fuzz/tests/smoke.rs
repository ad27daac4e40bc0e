//! Replays the corpus of every target, then seeded mutations of it, without a fuzzer.
//!
//! `FUZZ_SEED` replays a run, `FUZZ_MUTATIONS` says how many inputs each target gets.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use transom_fuzz::{TARGETS, Target};

/// Fixed, so that a failure in CI is there again at home.
const SEED: u64 = 0x7472_616e_736f_6d01;
const MUTATIONS: u64 = 10_000;
/// Longest input that mutations make, in octets.
const OCTETS_MAX: usize = 4096;

/// Pieces that parsers care about.
const DICTIONARY: [&[u8]; 24] = [
    b"\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r",
    b"\n",
    b"\0",
    b"<",
    b">",
    b"<>",
    b"@",
    b"\"",
    b"\\",
    b".",
    b"..",
    b"[IPv6:",
    b"]",
    b":",
    b";",
    b"+0D+0A",
    b"=",
    b" ",
    b"\xff",
    b"\xc3\xa4",
    b"999",
];

#[test]
fn corpus_and_its_mutations_pass() {
    let seed = number("FUZZ_SEED", SEED);
    let mutations = number("FUZZ_MUTATIONS", MUTATIONS);
    writeln!(std::io::stderr(), "FUZZ_SEED={seed} FUZZ_MUTATIONS={mutations}").unwrap();
    for target in TARGETS {
        let corpus = corpus(target.0);
        assert!(!corpus.is_empty(), "fuzz/corpus/{} holds nothing", target.0);
        for input in &corpus {
            run(target, input);
        }
        let mut random = Random(seed | 1);
        for _ in 0..mutations {
            run(target, &mutate(&corpus, &mut random));
        }
    }
}

#[test]
fn every_target_has_a_file_and_every_file_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let files: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, names);
}

fn run((name, body): &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        let line = format!("{name} failed on b\"{}\"", input.escape_ascii());
        eprintln!("{line}");
        resume_unwind(panic);
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|wrong| panic!("{}: {wrong}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

/// xorshift64*: enough to choose places, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }
}

/// One input of the corpus with one to four changes.
fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let to = (at + random.below(16)).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 => drop(input.drain(at..to)),
            2 => drop(input.splice(at..at, [random.next().to_le_bytes()[0]])),
            3 => {
                let piece = DICTIONARY[random.below(DICTIONARY.len())];
                input.splice(at..at, piece.iter().copied());
            }
            4 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let again = input[at..to].repeat(1 + random.below(20));
                input.splice(at..at, again);
            }
        }
    }
    input.truncate(OCTETS_MAX);
    input
}
