//! What parsing and signing cost without a network: this project and the published Rust SDK in one process, in turns.

mod hostile;
mod pay;

use std::hint::black_box;

use mpp::protocol::methods::tempo::TempoChargeExt as _;
use mpp_core::{Challenge, ChargeRequest};

use self::pay::Payer;
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};
use crate::sizes::version;
use crate::turns::{Turns, done, in_turns};

pub(crate) const TITLE: &str = "Parsing and signing";

/// A challenge of a live service.
const REAL: &str = include_str!("../../mpp-core/testdata/headers/ok_real_challenge.txt");

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let field = REAL.lines().next().ok_or("no header")?;
    let turns = bench.times(2_000, 100);
    let parsed = in_turns(turns, 20, [&|| done(ours(field)), &|| done(theirs(field))]);
    let read = in_turns(
        turns,
        20,
        [&|| done(ChargeRequest::from_challenge(&ours(field))), &|| done(read(&theirs(field)))],
    );
    // Its expiry is over; both would refuse to pay it.
    let payer = Payer::new(&field.replacen("expires=\"2026", "expires=\"2126", 1))?;
    let paid = in_turns(
        turns,
        5,
        [
            &|| done(payer.bare()),
            &|| done(payer.ours()),
            &|| done(payer.mpp()),
            &|| done(payer.mpp_by_hand()),
            &|| done(payer.libsecp256k1()),
        ],
    );
    let section = Section::new(TITLE)
        .prose(format!(
            "The header of a live service's 402, {} bytes, in one process and in turns:",
            field.len()
        ))
        .table(reading_table(&parsed, &read))
        .prose(SIGNING)
        .table(signing_table(&paid)?);
    let [[_, parsed], [_, read]] = [parsed.ratios(), read.ratios()];
    let [_, paid, ..] = paid.ratios();
    let section = section
        .goal(Goal::at_least("parses 7 times as fast as mpp", parsed.median(), 7.0).against_it(READING))
        .goal(Goal::at_least("parses and reads the charge 5 times as fast as mpp", read.median(), 5.0))
        .goal(
            Goal::at_most(
                "from header to `Authorization` in 1.10 bare signatures of k256",
                paid.median(),
                1.1,
            )
            .against_it(BESIDE_THE_SIGNATURE),
        );
    hostile::add(section, bench)
}

fn ours(field: &str) -> Challenge {
    Challenge::parse_all([black_box(field)]).remove(0).expect("a challenge")
}

fn theirs(field: &str) -> mpp::PaymentChallenge {
    mpp::parse_www_authenticate_all([black_box(field)]).remove(0).expect("a challenge")
}

/// What `TempoCharge::from_challenge` reads too.
fn read(challenge: &mpp::PaymentChallenge) -> mpp::Result<impl Sized + use<>> {
    let charge: mpp::ChargeRequest = challenge.request.decode()?;
    let parties = (charge.recipient_address()?, charge.currency_address()?, charge.amount_u256()?);
    Ok((parties, charge.tempo_method_details()?, charge))
}

fn reading_table(parsed: &Turns<2>, read: &Turns<2>) -> Table {
    let mut table = Table::new(["work", "ours µs", "spread", "mpp µs", "spread", "ratio", "spread"]);
    for (name, turns) in [("parse the challenge", parsed), ("parse it and read its charge", read)] {
        let ([ours, theirs], [_, ratio]) = (turns.each().map(|samples| samples.scaled(1e6)), turns.ratios());
        let cells = [figure(ours.median()), ours.spread(), figure(theirs.median()), theirs.spread()];
        let ratio = [figure(ratio.median()), ratio.spread()];
        table.row([name.to_owned()].into_iter().chain(cells).chain(ratio));
    }
    table
}

fn signing_table(paid: &Turns<5>) -> Outcome<Table> {
    let (k256, secp256k1) = (version("mpp-core", "k256")?, version("peer-bench", "secp256k1")?);
    let mut table = Table::new(["work", "µs", "spread", "ratio to bare k256", "spread"]);
    let names = [
        format!("one bare signature, {k256}"),
        "ours".to_owned(),
        "mpp, `TempoCharge` with `SignOptions`".to_owned(),
        "mpp, its parts put together by hand".to_owned(),
        format!("one bare signature, libsecp256k1 by {secp256k1}"),
    ];
    for ((name, took), ratio) in names.into_iter().zip(paid.each()).zip(paid.ratios()) {
        let took = took.scaled(1e6);
        table.row([name, figure(took.median()), took.spread(), figure(ratio.median()), ratio.spread()]);
    }
    Ok(table)
}

const READING: &str = "\
By callgrind, half of our reading is the grammar, which takes quoted text by blocks, and a quarter is the strings of a
challenge, which outlives its header and so has a copy of each parameter. The rest is a look for control characters, and the
time of expiry. Of the charge, more than half is JSON and base64, by the crates that everybody uses for them. Faster would be
a challenge that borrows from its header, or one text and places in it, and harder to use or to read.";

const BESIDE_THE_SIGNATURE: &str = "\
Beside its signature a payment takes keccak256 of realm, id and transaction, and the JSON and base64 of the credential. By
callgrind these two are three quarters of what is not the signature. The bare signature is one with k256's table of
multiples, which mpp-core turns on: it makes the whole faster, and the rest a larger part of it.";

const SIGNING: &str = "\
From that header to the value of `Authorization` that pays it, without a node: parse, decide, build and sign the transaction,
encode the credential. Gas, fees and nonce are fixed, so mpp has nothing to look up either; its `TempoCharge` opens an RPC
client all the same, so that the row below it has what its parts would take without. The bare signatures are of a hash that
is there already:";
