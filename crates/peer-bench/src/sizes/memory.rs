//! The most memory that one paid call takes, and how often a large body is in it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use e2e::{Anvil, CHAIN_ID, PAYER};

use super::{HERE, PROGRAMS, release};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};
use crate::servers::{Kind, Shop};
use crate::stats::Samples;

pub(crate) const TITLE: &str = "Memory";

/// In KiB.
const BODY: u32 = 100_000_000 / 1024;

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let node = bench.block_on(Anvil::start(CHAIN_ID));
    let shop = Shop::start(Kind::Memory, &node.url())?;
    let [ours, mpp] = PROGRAMS.map(|program| release(HERE, program, program));
    let payers = [
        (PROGRAMS[0], Payer { program: ours?, script: None }),
        (PROGRAMS[1], Payer { program: mpp?, script: None }),
        ("mppx", Payer { program: "node".into(), script: Some(bench.node_modules().join("pay.mjs")) }),
    ];
    let mut table =
        Table::new(["client", "a call MiB", "spread", "with the body MiB", "spread", "more, in bodies"]);
    let mut section = Section::new(TITLE).prose(WHAT);
    for (name, payer) in payers {
        let peaks = |body| {
            let peaks = (0..bench.times(5, 1)).map(|_| payer.peak(&node, &shop, body));
            Outcome::Ok(Samples::new(peaks.collect::<Outcome<Vec<f64>>>()?))
        };
        let (small, large) = (peaks(None)?, peaks(Some(BODY * 1024))?);
        let bodies = (large.median() - small.median()) / f64::from(BODY);
        let cells = [small, large].map(|peaks| peaks.scaled(1.0 / 1024.0));
        let cells = cells.each_ref().map(|peaks| [figure(peaks.median()), peaks.spread()]);
        let cells = cells.into_iter().flatten().chain([figure(bodies)]);
        table.row([name.to_owned()].into_iter().chain(cells));
        if name == PROGRAMS[0] {
            section = section.goal(Goal::at_most("a body is in memory at most 1.1 times", bodies, 1.1));
        }
    }
    Ok(section.table(table))
}

/// A program, or a script for one, that prints the most memory it held.
struct Payer {
    program: PathBuf,
    script: Option<PathBuf>,
}

impl Payer {
    /// In KiB, of a call with a body of so many bytes.
    fn peak(&self, node: &Anvil, shop: &Shop, body: Option<u32>) -> Outcome<f64> {
        let mut command = Command::new(&self.program);
        command.args(&self.script).arg(shop.url()).args(body.map(|bytes| bytes.to_string()));
        command.env("KEY", PAYER.key).env("CHAIN_ID", CHAIN_ID.to_string()).env("RPC", node.url());
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }
}

const WHAT: &str = "\
The most that a process of one paid call held in memory, as the kernel counts it (`VmHWM`): a GET without a body, and a POST
with a body of 100 MB, which is sent without payment and then with. The last column is how many times the body is in the
difference of the two.";
