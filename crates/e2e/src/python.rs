//! Pinned Python packages in a virtual environment of their own, below the target folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{InstallError, locked, once, remove, run_installer, target_folder};

/// The interpreter of a virtual environment that holds `requirements`, installed if it is not yet.
///
/// They are what `pip freeze` prints: every package with its version, what they need in turn included, as nothing else
/// is installed. Any number of processes and threads may ask at once.
pub fn venv(requirements: &str) -> PathBuf {
    install(&target_folder(), OsStr::new("python3"), requirements)
        .unwrap_or_else(|error| panic!("Python packages of these tests are missing: {error}"))
}

fn install(target: &Path, python: &OsStr, requirements: &str) -> Result<PathBuf, InstallError> {
    let (folder, lock) = locked(&target.join("e2e-python"), requirements)?;
    let venv = folder.join("venv");
    let interpreter = venv.join("bin").join("python");
    once(&folder, &lock, |lock| {
        remove(&venv)?;
        let again = lock.try_clone().map_err(|cause| InstallError::Folder { path: venv.clone(), cause })?;
        run_installer(Command::new(python).args(["-m", "venv"]).arg(&venv), "python3 -m venv", NEEDS, again)?;
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--no-deps", "--only-binary", ":all:", "--no-input"]);
        pip.args(
            requirements.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')),
        );
        run_installer(&mut pip, "pip", NEEDS, lock)
    })?;
    Ok(interpreter)
}

const NEEDS: &str = "Python 3.10 or newer with venv and pip";

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;
    use tempfile::TempDir;

    use crate::install::tests::alone;

    /// A target folder with a python3 that makes environments in which this script is the interpreter.
    fn scene(interpreter: &str) -> (TempDir, PathBuf) {
        let target = tempfile::tempdir().unwrap();
        let python = target.path().join("python3");
        let inner = target.path().join("inner");
        let outer = format!("mkdir -p \"$3/bin\" && cp {} \"$3/bin/python\"", inner.display());
        for (path, script) in [(&inner, interpreter), (&python, outer.as_str())] {
            fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        (target, python)
    }

    #[test]
    fn err_missing_python_says_what_to_install() {
        let target = tempfile::tempdir().unwrap();
        let error =
            install(target.path(), OsStr::new("/nonexistent/python3"), "a==1").unwrap_err().to_string();
        assert!(error.ends_with(": install Python 3.10 or newer with venv and pip"), "{error}");
    }

    #[test]
    fn err_failed_pip_shows_its_last_lines_and_is_tried_again() {
        let _alone = alone();
        let (target, python) = scene("seq 1 50; echo no such package >&2; exit 1");
        for _ in 0..2 {
            let error = install(target.path(), python.as_os_str(), "a==1").unwrap_err().to_string();
            assert!(error.ends_with("\n49\n50\nno such package") && !error.contains("\n30\n"), "{error}");
        }
    }

    #[test]
    fn ok_eight_at_once_run_pip_once_with_the_pinned_packages_alone() {
        let _alone = alone();
        let (target, python) = scene("echo $* >> \"$(dirname $0)/../../../runs\"");
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| install(target.path(), python.as_os_str(), "# two\na==1\n\nb==2\n").unwrap());
            }
        });
        let runs = fs::read_to_string(target.path().join("e2e-python/runs")).unwrap();
        assert_eq!(runs, "-m pip install --no-deps --only-binary :all: --no-input a==1 b==2\n");
    }
}
