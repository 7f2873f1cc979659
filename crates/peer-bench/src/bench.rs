//! What all parts share: how much to measure, the peers' installations, and the runtime.

use std::path::PathBuf;
use std::process::Command;

use tokio::runtime::Runtime;

use crate::Outcome;

pub(crate) struct Bench {
    /// Few repetitions, for trying.
    pub(crate) quick: bool,
    runtime: Runtime,
}

impl Bench {
    pub(crate) fn new(quick: bool) -> Outcome<Self> {
        // One thread, as what is measured needs the processors.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Bench { quick, runtime })
    }

    /// `full`, or `quick` for a few repetitions.
    pub(crate) fn times(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Builds a program of this folder in release, and says where it is.
    pub(crate) fn program(&self, package: &str) -> Outcome<PathBuf> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = ["build", "--release", "--locked", "--manifest-path", manifest, "-p", package];
        let status = Command::new(cargo).args(arguments).status()?;
        if !status.success() {
            return Err(format!("{package} could not be built").into());
        }
        // Beside this program: the same workspace has the same target folder.
        Ok(std::env::current_exe()?.with_file_name(package))
    }

    /// The folder with the peers' packages of npm and the scripts of `peers/`.
    pub(crate) fn node_modules(&self) -> PathBuf {
        e2e::install::npm(&PACKAGES, &SCRIPTS)
    }
}

/// The same as those of the tests, so that they are installed once.
const PACKAGES: [(&str, &str); 3] = [
    ("package.json", include_str!("../../e2e/peers/package.json")),
    ("package-lock.json", include_str!("../../e2e/peers/package-lock.json")),
    (".npmrc", include_str!("../../e2e/peers/.npmrc")),
];

const SCRIPTS: [(&str, &str); 0] = [];
