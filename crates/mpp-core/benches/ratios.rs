//! What the parser and a whole payment cost, as ratios within one run, which a busy machine disturbs least.
//!
//!     cargo bench -p mpp-core

#![expect(clippy::print_stdout, reason = "the ratios are the result")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use k256::ecdsa::SigningKey;
use mpp_core::tempo::{self, LocalSigner};
use mpp_core::{Challenge, ChargeRequest, Policy};

/// A challenge of a live service, 451 bytes.
const REAL: &str = include_str!("../testdata/headers/ok_real_challenge.txt");
/// Its expiry is 2026-09-28T07:06:32Z.
const NOW: u64 = 1_790_579_100;
const KEY: [u8; 32] = [0x11; 32];

fn main() {
    let field = REAL.lines().next().expect("a header");
    assert_eq!(field.len(), 451);
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("parse the 451-byte challenge", |bench| bench.iter(|| parse(black_box(field))));
    criterion.bench_function("parse it and read its request", |bench| {
        bench.iter(|| ChargeRequest::from_challenge(&parse(black_box(field))));
    });
    let payer = Payer::new();
    criterion.bench_function("header to Authorization", |bench| bench.iter(|| payer.pay(black_box(field))));
    criterion.bench_function("one bare signature", |bench| bench.iter(|| payer.bare_signature()));
    criterion.final_summary();

    println!("\nmedians, each pair measured in turns:");
    let (pay, sign, ratio) = in_turns(500, || payer.pay(black_box(field)), || payer.bare_signature());
    println!("header to Authorization {pay:?}, bare signature {sign:?}: ratio {ratio:.3} (at most 1.15)");
    for (name, hostile) in HOSTILE {
        let (long, short) = (hostile(64 * 1024), hostile(4 * 1024));
        let once = || parse_all(black_box(&long));
        let sixteen_times = || (0..16).map(|_| parse_all(black_box(&short))).sum::<usize>();
        let (one, sixteen, ratio) = in_turns(50, once, sixteen_times);
        println!("{name}: 64 KiB {one:?}, 16 times 4 KiB {sixteen:?}: ratio {ratio:.2} (linear is 1)");
    }
}

fn parse(field: &str) -> Challenge {
    Challenge::parse_all([field]).remove(0).expect("a challenge")
}

fn parse_all(field: &str) -> usize {
    Challenge::parse_all([field]).len()
}

struct Payer {
    policy: Policy,
    signer: LocalSigner,
    key: SigningKey,
}

impl Payer {
    fn new() -> Self {
        Payer {
            policy: Policy::new(tempo::MAINNET, [tempo::USDC_E], "0.50".parse().expect("dollars")),
            signer: LocalSigner::from_bytes(&KEY).expect("a key"),
            key: SigningKey::from_slice(&KEY).expect("a key"),
        }
    }

    /// From the field of a 402 to the field that pays it.
    fn pay(&self, field: &str) -> String {
        let approval = self.policy.approve(parse(field), b"", NOW).expect("approved");
        let unsigned = approval.prepare(self.signer.address(), NOW, 7);
        let signature = self.signer.sign(&unsigned);
        unsigned.signed(&signature).credential().header_value()
    }

    fn bare_signature(&self) -> impl Sized {
        self.key.sign_prehash_recoverable(black_box(&[0x22; 32]))
    }
}

/// The median times of two pieces of work and of their ratio. They take turns of ten runs, so that the two halves of
/// a ratio see the same machine.
fn in_turns<A, B>(turns: usize, one: impl Fn() -> A, other: impl Fn() -> B) -> (Duration, Duration, f64) {
    fn ten<T>(work: &impl Fn() -> T) -> f64 {
        let start = Instant::now();
        for _ in 0..10 {
            black_box(work());
        }
        start.elapsed().as_secs_f64() / 10.0
    }
    let times: Vec<[f64; 2]> = (0..turns).map(|_| [ten(&one), ten(&other)]).collect();
    let median = |of: fn(&[f64; 2]) -> f64| {
        let mut values: Vec<f64> = times.iter().map(of).collect();
        *values.select_nth_unstable_by(turns / 2, f64::total_cmp).1
    };
    let ratio = median(|[one, other]| one / other);
    (
        Duration::from_secs_f64(median(|[one, _]| *one)),
        Duration::from_secs_f64(median(|[_, other]| *other)),
        ratio,
    )
}

type Hostile = fn(usize) -> String;

/// Fields that make a careless parser go back and forth, of about the length asked for.
const HOSTILE: [(&str, Hostile); 5] = [
    ("escapes", |length| format!(r#"Payment description="{}""#, r"\u2615".repeat(length / 6))),
    ("quotes without an end", |length| "Payment id=\"".repeat(length / 12)),
    ("other schemes", |length| "a b=c, ".repeat(length / 7)),
    ("no parameters", |length| format!("a {}", "b ,".repeat(length / 3))),
    ("spaces", |length| format!("a b{}", " ".repeat(length))),
];
