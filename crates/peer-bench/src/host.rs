//! The machine, the versions and the day.

use std::fs;
use std::process::Command;

/// Pairs of a name and what it is here.
pub(crate) fn describe() -> Vec<(&'static str, String)> {
    vec![
        ("date", said("date", &["-u", "+%Y-%m-%d"])),
        (
            "this project",
            format!(
                "commit {}",
                said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"])
            ),
        ),
        ("mpp (Rust, crates.io)", "0.18.2".to_owned()),
        ("mppx (TypeScript, npm)", "0.11.0".to_owned()),
        ("pympp (Python, PyPI)", "0.16.0".to_owned()),
        ("processor", format!("{}, {} cores", field("/proc/cpuinfo", "model name"), said("nproc", &[]))),
        ("memory", memory()),
        ("system", said("uname", &["-sr"])),
        ("rustc", said("rustc", &["--version"])),
        ("Node", said("node", &["--version"])),
        ("Python", said("python3", &["--version"])),
    ]
}

fn memory() -> String {
    let kibibytes = field("/proc/meminfo", "MemTotal");
    let kibibytes = kibibytes.trim_end_matches(" kB").parse::<u64>();
    kibibytes
        .map_or_else(|_| "unknown".to_owned(), |kibibytes| format!("{} GiB", kibibytes.div_ceil(1 << 20)))
}

/// The value of the first `name: value` in a file of the kernel's.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let value = lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next();
    value.unwrap_or_else(|| "unknown".to_owned())
}

/// What a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
