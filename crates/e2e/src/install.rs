//! Installations of pinned packages and the scripts that use them, below the target folder.
//!
//! Any number of processes and threads may ask at once: a lock file lets one install while the others wait,
//! and a stamp written last tells a finished installation from an interrupted one.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use alloy_primitives::keccak256;

/// The folder that holds the scripts and their `node_modules`, installed if it is not yet.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        install(&target_folder(), OsStr::new("node"), OsStr::new("npm"))
            .unwrap_or_else(|error| panic!("the peers of these tests are missing: {error}"))
    })
}

/// The folder that holds these scripts and their `node_modules`, installed if it is not yet. `packages` are what npm
/// reads: names of files and their text, of which `package.json` and `package-lock.json` are two.
pub fn npm(packages: &[(&str, &str)], scripts: &[(&str, &str)]) -> PathBuf {
    install_npm(&target_folder(), OsStr::new("node"), OsStr::new("npm"), packages, scripts)
        .unwrap_or_else(|error| panic!("packages of these tests are missing: {error}"))
}

/// Why packages could not be installed.
#[derive(Debug)]
pub(crate) enum InstallError {
    Missing { program: String, needs: String, cause: io::Error },
    TooOld { version: String },
    Failed { program: &'static str, needs: String, last_lines: String },
    Folder { path: PathBuf, cause: io::Error },
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, needs, cause } => {
                write!(f, "cannot run {program} ({cause}): install {needs}")
            }
            Self::TooOld { version } => {
                write!(f, "Node {version} is too old: install Node {OLDEST_NODE} or newer with npm")
            }
            Self::Failed { program, needs, last_lines } => write!(
                f,
                "{program} could not install them: install {needs}, or see {program}'s last lines:\n{last_lines}"
            ),
            Self::Folder { path, cause } => write!(f, "cannot write {}: {cause}", path.display()),
        }
    }
}

const OLDEST_NODE: u32 = 20;

/// What npm reads; the installation's name is a hash of it.
const PACKAGES: [(&str, &str); 3] = [
    ("package.json", include_str!("../peers/package.json")),
    ("package-lock.json", include_str!("../peers/package-lock.json")),
    (".npmrc", include_str!("../peers/.npmrc")),
];

const SCRIPTS: [(&str, &str); 5] = [
    ("lifeline.mjs", include_str!("../peers/lifeline.mjs")),
    ("tempo-client.mjs", include_str!("../peers/tempo-client.mjs")),
    ("tempo-node.mjs", include_str!("../peers/tempo-node.mjs")),
    ("mppx-server.mjs", include_str!("../peers/mppx-server.mjs")),
    ("mppx-client.mjs", include_str!("../peers/mppx-client.mjs")),
];

fn install(target: &Path, node: &OsStr, npm: &OsStr) -> Result<PathBuf, InstallError> {
    install_npm(target, node, npm, &PACKAGES, &SCRIPTS)
}

fn install_npm(
    target: &Path,
    node: &OsStr,
    npm: &OsStr,
    packages: &[(&str, &str)],
    scripts: &[(&str, &str)],
) -> Result<PathBuf, InstallError> {
    check_node(node)?;
    let texts: Vec<_> = packages.iter().map(|(_, text)| *text).collect();
    let (folder, lock) = locked(&target.join("e2e-peers"), &texts.concat())?;
    write_changed(&folder, scripts)?;
    once(&folder, &lock, |lock| {
        write_changed(&folder, packages)?;
        run_npm(&folder, npm, lock)
    })?;
    Ok(folder)
}

/// A folder within `parent` that is named after a hash of `contents`, and the lock on it.
pub(crate) fn locked(parent: &Path, contents: &str) -> Result<(PathBuf, File), InstallError> {
    let key = keccak256(contents).to_string();
    let folder = parent.join(key.chars().take(18).collect::<String>());
    fs::create_dir_all(&folder).map_err(cannot_write(&folder))?;
    let path = folder.join("lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.and_then(|file| file.lock().map(|()| file)).map_err(cannot_write(&path))?;
    Ok((folder, lock))
}

/// Fills a locked folder, unless that has been done.
pub(crate) fn once(
    folder: &Path,
    lock: &File,
    fill: impl FnOnce(File) -> Result<(), InstallError>,
) -> Result<(), InstallError> {
    let stamp = folder.join("installed");
    if stamp.exists() {
        return Ok(());
    }
    // The installer holds the lock too, so that a test killed meanwhile does not let a second one in beside it.
    fill(lock.try_clone().map_err(cannot_write(folder))?)?;
    fs::write(&stamp, "").map_err(cannot_write(&stamp))
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |cause| InstallError::Folder { path, cause }
}

fn check_node(node: &OsStr) -> Result<(), InstallError> {
    let version = run(Command::new(node).arg("--version"), &needed_node())?;
    let version = String::from_utf8_lossy(&version.stdout).trim().trim_start_matches('v').to_owned();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= OLDEST_NODE) {
        Ok(())
    } else {
        Err(InstallError::TooOld { version })
    }
}

fn needed_node() -> String {
    format!("Node {OLDEST_NODE} or newer with npm")
}

/// Installs what the lock file names. This is not `npm ci`, which insists on an entry for the node's binary
/// of every platform; the lock file need only hold those it was made with.
fn run_npm(folder: &Path, npm: &OsStr, lock: File) -> Result<(), InstallError> {
    remove(&folder.join("node_modules"))?;
    let mut command = Command::new(npm);
    command.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run_installer(command.current_dir(folder), "npm", &needed_node(), lock)
}

/// Removes what an interrupted installation left.
pub(crate) fn remove(folder: &Path) -> Result<(), InstallError> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(cannot_write(folder)) } else { Ok(()) }
}

pub(crate) fn run_installer(
    command: &mut Command,
    program: &'static str,
    needs: &str,
    lock: File,
) -> Result<(), InstallError> {
    let done = run(command.stdin(Stdio::from(lock)), needs)?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(12)).copied();
    let last_lines = last.collect::<Vec<_>>().join("\n");
    Err(InstallError::Failed { program, needs: needs.to_owned(), last_lines })
}

fn run(command: &mut Command, needs: &str) -> Result<Output, InstallError> {
    let (program, needs) = (command.get_program().to_string_lossy().into_owned(), needs.to_owned());
    command.output().map_err(|cause| InstallError::Missing { program, needs, cause })
}

fn write_changed(folder: &Path, files: &[(&str, &str)]) -> Result<(), InstallError> {
    for (name, text) in files {
        let path = folder.join(name);
        if fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        fs::write(&path, text).map_err(cannot_write(&path))?;
    }
    Ok(())
}

/// The target folder this test was built into, which Cargo marks as a cache; else the workspace's usual one.
pub(crate) fn target_folder() -> PathBuf {
    let executable = env::current_exe().unwrap_or_default();
    let marked = executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), Path::to_owned)
}

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;
    use tempfile::TempDir;

    /// One at a time: a script that is still open for writing in another test's new child cannot be run.
    pub(crate) fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A target folder with a node and an npm that are shell scripts.
    struct Scene {
        target: TempDir,
        _alone: MutexGuard<'static, ()>,
    }

    impl Scene {
        fn new(node: &str, npm: &str) -> Self {
            let alone = alone();
            let target = tempfile::tempdir().unwrap();
            for (name, script) in [("node", node), ("npm", npm)] {
                let path = target.path().join(name);
                fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self { target, _alone: alone }
        }

        fn install(&self, node: &str, npm: &str) -> Result<PathBuf, String> {
            let program = |name| self.target.path().join(name).into_os_string();
            install(self.target.path(), &program(node), &program(npm)).map_err(|error| error.to_string())
        }
    }

    #[test]
    fn err_missing_programs_say_what_to_install() {
        let scene = Scene::new("echo v22.1.0", "exit 1");
        for (node, npm) in [("absent", "npm"), ("node", "absent")] {
            let error = scene.install(node, npm).unwrap_err();
            assert!(error.starts_with("cannot run ") && error.contains("/absent ("), "{error}");
            assert!(error.ends_with(": install Node 20 or newer with npm"), "{error}");
        }
    }

    #[test]
    fn err_old_node_is_named() {
        let error = Scene::new("echo v18.20.4", "exit 1").install("node", "npm").unwrap_err();
        assert_eq!(error, "Node 18.20.4 is too old: install Node 20 or newer with npm");
    }

    #[test]
    fn err_failed_npm_shows_its_last_lines_and_is_tried_again() {
        let scene = Scene::new("echo v20.0.0", "seq 1 50; echo no such package >&2; exit 1");
        for _ in 0..2 {
            let error = scene.install("node", "npm").unwrap_err();
            assert!(error.ends_with("\n49\n50\nno such package") && !error.contains("\n30\n"), "{error}");
        }
    }

    #[test]
    fn lock_file_names_no_download_address() {
        let (_, lock) = PACKAGES[1];
        assert!(lock.contains("\"integrity\"") && !lock.contains("\"resolved\""));
    }

    #[test]
    fn ok_eight_at_once_run_npm_once() {
        let scene = Scene::new("echo v20.0.0", "mkdir node_modules && echo ran >> ../runs");
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| scene.install("node", "npm").unwrap());
            }
        });
        assert_eq!(fs::read_to_string(scene.target.path().join("e2e-peers/runs")).unwrap(), "ran\n");
    }
}
