//! What all parts share: how much to measure, the peers' installations, and the runtime.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

    /// Builds the programs of `src/bin`, and says where this one of them is. What they stand on is built already, with
    /// this program.
    pub(crate) fn program(&self, name: &str) -> Outcome<PathBuf> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments =
            ["build", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--bin", name];
        let output = Command::new(cargo).args(arguments).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{name} could not be built").into());
        }
        // Beside this program, which is built in release too.
        Ok(std::env::current_exe()?.with_file_name(name))
    }

    /// The folder with the peers' packages of npm and the scripts of `peers/`, installed if they are not yet.
    pub(crate) fn node_modules(&self) -> PathBuf {
        let scripts = scripts().expect("the scripts are beside this program's source");
        let scripts: Vec<_> = scripts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        e2e::install::npm(&PACKAGES, &scripts)
    }

    /// The interpreter that has the peer's packages of PyPI, installed if they are not yet.
    pub(crate) fn python(&self) -> PathBuf {
        e2e::python::venv(include_str!("../peers/requirements.txt"))
    }
}

/// Names and texts of those that run beside npm's packages.
fn scripts() -> std::io::Result<Vec<(String, String)>> {
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(SCRIPTS)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".mjs") {
            let text = std::fs::read_to_string(Path::new(SCRIPTS).join(&name))?;
            scripts.push((name, text));
        }
    }
    Ok(scripts)
}

/// Where the scripts are.
pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// The same as those of the tests, so that they are installed once.
const PACKAGES: [(&str, &str); 3] = [
    ("package.json", include_str!("../../e2e/peers/package.json")),
    ("package-lock.json", include_str!("../../e2e/peers/package-lock.json")),
    (".npmrc", include_str!("../../e2e/peers/.npmrc")),
];
