//! The peers' installation: pinned npm packages and this crate's scripts, below the target folder.
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

/// Why the peers could not be installed.
#[derive(Debug)]
enum InstallError {
    Missing { program: String, cause: io::Error },
    TooOld { version: String },
    Npm { last_lines: String },
    Folder { path: PathBuf, cause: io::Error },
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, cause } => {
                write!(f, "cannot run {program} ({cause}): install Node {OLDEST_NODE} or newer with npm")
            }
            Self::TooOld { version } => {
                write!(f, "Node {version} is too old: install Node {OLDEST_NODE} or newer with npm")
            }
            Self::Npm { last_lines } => write!(
                f,
                "npm could not install them: install Node {OLDEST_NODE} or newer with npm, or see npm's last \
                 lines:\n{last_lines}"
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
    check_node(node)?;
    let key = keccak256(PACKAGES.map(|(_, text)| text).concat()).to_string();
    let folder = target.join("e2e-peers").join(key.chars().take(18).collect::<String>());
    let at = |path: &Path| {
        let path = path.to_owned();
        move |cause| InstallError::Folder { path, cause }
    };
    fs::create_dir_all(&folder).map_err(at(&folder))?;

    let lock_path = folder.join("lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let lock = lock.and_then(|file| file.lock().map(|()| file)).map_err(at(&lock_path))?;

    write_changed(&folder, &SCRIPTS)?;
    let stamp = folder.join("installed");
    if !stamp.exists() {
        write_changed(&folder, &PACKAGES)?;
        // npm holds the lock too, so that a test killed meanwhile does not let a second npm in beside it.
        run_npm(&folder, npm, lock.try_clone().map_err(at(&lock_path))?)?;
        fs::write(&stamp, "").map_err(at(&stamp))?;
    }
    drop(lock);
    Ok(folder)
}

fn check_node(node: &OsStr) -> Result<(), InstallError> {
    let version = run(Command::new(node).arg("--version"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().trim_start_matches('v').to_owned();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= OLDEST_NODE) {
        Ok(())
    } else {
        Err(InstallError::TooOld { version })
    }
}

/// Installs what the lock file names. This is not `npm ci`, which insists on an entry for the node's binary
/// of every platform; the lock file need only hold those it was made with.
fn run_npm(folder: &Path, npm: &OsStr, lock: File) -> Result<(), InstallError> {
    let modules = folder.join("node_modules");
    if modules.exists() {
        fs::remove_dir_all(&modules).map_err(|cause| InstallError::Folder { path: modules, cause })?;
    }
    let done = run(Command::new(npm)
        .args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::from(lock)))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(12)).copied();
    Err(InstallError::Npm { last_lines: last.collect::<Vec<_>>().join("\n") })
}

fn run(command: &mut Command) -> Result<Output, InstallError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.output().map_err(|cause| InstallError::Missing { program, cause })
}

fn write_changed(folder: &Path, files: &[(&str, &str)]) -> Result<(), InstallError> {
    for (name, text) in files {
        let path = folder.join(name);
        if fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        fs::write(&path, text).map_err(|cause| InstallError::Folder { path, cause })?;
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
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;
    use tempfile::TempDir;

    /// A target folder with a node and an npm that are shell scripts.
    ///
    /// One at a time: a script that is still open for writing in another test's new child cannot be run.
    struct Scene {
        target: TempDir,
        _alone: MutexGuard<'static, ()>,
    }

    impl Scene {
        fn new(node: &str, npm: &str) -> Self {
            static ALONE: Mutex<()> = Mutex::new(());
            let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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
