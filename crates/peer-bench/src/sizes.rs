//! What it takes to pay for a page, beside time on the wire: crates, a build, a binary, a start, and memory.

pub(crate) mod builds;
pub(crate) mod memory;
pub(crate) mod start;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;

/// The program that pays with this project's client, and the one that pays with the published Rust SDK.
const PROGRAMS: [&str; 2] = ["pay-with-mpp-http", "pay-with-mpp"];
/// The command of this project, and the package that holds it.
const COMMAND: &str = "grok-mpp";
const COMMAND_PACKAGE: &str = "grok-cli";

/// The manifest of this crate and its programs.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
/// That of this project.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");

/// Cargo's subcommand on one of the two workspaces, whose lock file stays as it is.
fn cargo(subcommand: &str, manifest: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([subcommand, "--locked", "--manifest-path", manifest]);
    cargo
}

/// Name and version of what a package of this workspace stands on directly.
pub(crate) fn version(package: &str, dependency: &str) -> Outcome<String> {
    let mut tree = cargo("tree", HERE);
    tree.args(["-e", "normal", "--prefix", "none", "--format", "{p}", "--depth", "1", "-p", package]);
    let tree = String::from_utf8(succeed(tree)?)?;
    let found = tree.lines().find(|line| line.split_whitespace().next() == Some(dependency));
    Ok(found.ok_or_else(|| format!("{package} does not stand on {dependency}"))?.to_owned())
}

fn succeed(mut command: Command) -> Outcome<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{command:?} failed").into()),
    }
}

/// Builds a package's program in release, if it is not yet, and says where it is.
fn release(manifest: &str, package: &str, program: &str) -> Outcome<PathBuf> {
    let mut build = cargo("build", manifest);
    build.args(["--quiet", "--release", "-p", package]);
    succeed(build)?;
    let mut metadata = cargo("metadata", manifest);
    metadata.args(["--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_slice(&succeed(metadata)?)?;
    let target = metadata.get("target_directory").and_then(Value::as_str).ok_or("no target folder")?;
    Ok(PathBuf::from(target).join("release").join(program))
}
