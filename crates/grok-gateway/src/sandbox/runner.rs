//! Runs one Python program in a child process that is bounded in every direction an accident takes.
//!
//! In: source text and [`Limits`]. Out: how it ended, and both of its outputs up to a size. Each process is bounded in
//! CPU time, address space, size of a file and open files; the run as a whole in time. The program has an empty
//! environment, no input, and a temporary folder that is removed afterwards.
//!
//! This is no security boundary. The program is the gateway's own user: it reads that user's files, reaches the
//! network, may start many processes, and may leave the process group that is killed. Serve it on loopback only. Unix
//! only.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A Python interpreter that was found and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    executable: PathBuf,
}

impl Python {
    /// Finds an interpreter by path, or by name on this process's `PATH`, and asks where it really is: the program
    /// found may be a launcher that needs the environment which sandboxed programs do not get.
    ///
    /// # Errors
    /// [`RunError::NoPython`] when there is none; [`RunError::BrokenPython`] when it does not work as one.
    pub async fn find(name: impl AsRef<Path>) -> Result<Self, RunError> {
        let name = name.as_ref();
        let broken = || RunError::BrokenPython { name: name.to_owned() };
        let mut probe = Command::new(name);
        probe.args(["-I", "-c", PROBE]).stdin(Stdio::null()).kill_on_drop(true);
        let answer = match timeout(PROBE_TIME, probe.output()).await {
            Err(_) => return Err(broken()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RunError::NoPython { name: name.to_owned() });
            }
            Ok(answer) => answer.map_err(|source| RunError::System { step: "start python", source })?,
        };
        let executable = PathBuf::from(OsStr::from_bytes(&answer.stdout));
        if !answer.status.success() || !executable.is_absolute() {
            return Err(broken());
        }
        Ok(Self { executable })
    }

    /// Runs a program to its end or to the first limit; dropping the future kills it.
    ///
    /// # Errors
    /// [`RunError::System`] when it could not be run at all. A program that fails is a [`Run`].
    pub async fn run(&self, code: &str, limits: &Limits) -> Result<Run, RunError> {
        let system = |step| move |source| RunError::System { step, source };
        let folder = tempfile::Builder::new().prefix("grok-sandbox-").tempdir();
        let folder = folder.map_err(system("make a temporary folder"))?;
        std::fs::write(folder.path().join(PROGRAM), code).map_err(system("write the program"))?;

        let started = Instant::now();
        let mut child = self.command(folder.path(), limits).spawn().map_err(system("start python"))?;
        let group = Group::of(&child);
        let (ending, stdout, stderr) =
            supervise(&mut child, group, limits).await.map_err(system("wait for python"))?;
        let took = started.elapsed();

        // Removing many files takes long; a folder that resists is left behind, as the answer matters more.
        drop(tokio::task::spawn_blocking(move || folder.close()).await);
        Ok(Run { ending, stdout, stderr, took })
    }

    fn command(&self, folder: &Path, limits: &Limits) -> Command {
        let alarm = limits.wall.as_secs().saturating_add(2);
        let numbers = [limits.cpu_seconds, limits.memory_bytes, limits.file_bytes, limits.open_files, alarm];
        let mut command = Command::new(&self.executable);
        command
            .args(["-I", "-S", "-c", BOUND_AND_EXEC, PROGRAM])
            .args(numbers.map(|number| number.to_string()))
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// How much a program may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Seconds of processor time for each process.
    pub cpu_seconds: u64,
    /// Bytes of address space for each process; not enforced on macOS, whose kernel has no such limit.
    pub memory_bytes: u64,
    /// Bytes of each file written.
    pub file_bytes: u64,
    /// Files open at once in each process.
    pub open_files: u64,
    /// Bytes kept of each output; what comes after is read and dropped.
    pub output_bytes: usize,
    /// Time for the whole run, after which its process group is killed.
    pub wall: Duration,
}

impl Default for Limits {
    /// Room for a serious computation, and an end well before a payer's two minutes of patience.
    fn default() -> Self {
        Self {
            cpu_seconds: 30,
            memory_bytes: 1 << 30,
            file_bytes: 16 << 20,
            open_files: 64,
            output_bytes: 64 << 10,
            wall: Duration::from_secs(60),
        }
    }
}

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// What it printed.
    pub stdout: Output,
    /// What it complained of.
    pub stderr: Output,
    /// Time from start to end.
    pub took: Duration,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// By itself, with this exit status.
    Exited(i32),
    /// At the limit of processor time.
    CpuLimit,
    /// At the limit of time.
    WallLimit,
    /// By this signal.
    Killed(i32),
}

impl Ending {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) if signal == Signal::XCPU.as_raw() => Self::CpuLimit,
            (None, signal) => Self::Killed(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "the program ended with exit status {status}"),
            Self::CpuLimit => f.write_str("the program was stopped at the limit of processor time"),
            Self::WallLimit => f.write_str("the program was stopped at the limit of time"),
            Self::Killed(signal) => write!(f, "the program was killed by signal {signal}"),
        }
    }
}

/// One output of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// The bytes kept.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

impl Output {
    /// The bytes as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Reads a pipe to its end and keeps the first `limit` bytes, so that its writer never blocks.
    async fn fill(&mut self, pipe: Option<impl AsyncRead + Unpin>, limit: usize) {
        let Some(mut pipe) = pipe else { return };
        let mut chunk = vec![0; 16 << 10];
        while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
            let kept = length.min(limit.saturating_sub(self.bytes.len()));
            self.bytes.extend(chunk.iter().take(kept));
            self.truncated |= kept < length;
        }
    }
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is no such interpreter.
    #[error("no {} on this machine, which the sandbox runs programs with; install Python 3", name.display())]
    NoPython {
        /// The name or path looked for.
        name: PathBuf,
    },
    /// There is one, but it does not say where it is.
    #[error("{} does not answer as a Python 3 interpreter; reinstall Python 3", name.display())]
    BrokenPython {
        /// The name or path tried.
        name: PathBuf,
    },
    /// The operating system refused a step.
    #[error("the sandbox could not {step}")]
    System {
        /// What it tried.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Kills a process group when dropped, so that every way out of a run ends what the program started.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // The only failure is that nothing is left of the group.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Waits for the end while keeping both pipes drained; a process that outlives its group cannot hold the run up.
async fn supervise(child: &mut Child, group: Group, limits: &Limits) -> io::Result<(Ending, Output, Output)> {
    let (pipe1, pipe2) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Output::default(), Output::default());
    let ending = {
        let mut drained = pin!(async {
            tokio::join!(stdout.fill(pipe1, limits.output_bytes), stderr.fill(pipe2, limits.output_bytes))
        });
        let mut ended = pin!(end(child, group, limits.wall));
        tokio::select! {
            ending = &mut ended => {
                let _ = timeout(DRAIN_TIME, drained).await;
                ending?
            }
            _ = &mut drained => ended.await?,
        }
    };
    Ok((ending, stdout, stderr))
}

async fn end(child: &mut Child, group: Group, wall: Duration) -> io::Result<Ending> {
    let waited = timeout(wall, child.wait()).await;
    // The leader may be reaped by now, but its number stays taken while the group has members.
    drop(group);
    match waited {
        Ok(status) => Ok(Ending::of(status?)),
        Err(_) => child.kill().await.map(|()| Ending::WallLimit),
    }
}

const PROGRAM: &str = "main.py";
const PROBE: &str = "import os, resource, sys; sys.stdout.buffer.write(os.fsencode(sys.executable))";
/// Sets the limits on itself, and an alarm in case the gateway is gone when time is up; then becomes the interpreter
/// of the program, unbuffered so that a killed program's output is not lost, and with nothing in its environment.
const BOUND_AND_EXEC: &str = r#"
import os, resource, signal, sys
program, cpu, memory, size, files, alarm = sys.argv[1], *map(int, sys.argv[2:])
def bound(what, soft, hard):
    ceiling = resource.getrlimit(what)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(what, (soft, hard))
bound(resource.RLIMIT_CPU, cpu, cpu + 1)
if sys.platform != "darwin":
    bound(resource.RLIMIT_AS, memory, memory)
bound(resource.RLIMIT_FSIZE, size, size)
bound(resource.RLIMIT_NOFILE, files, files)
bound(resource.RLIMIT_CORE, 0, 0)
signal.alarm(alarm)
os.execve(sys.executable, [sys.executable, "-I", "-u", "-X", "utf8", program], {})
"#;
/// A launcher on a cold disk is slow; one that takes longer hangs.
const PROBE_TIME: Duration = Duration::from_secs(20);
/// After the group's death its pipes close at once, unless a process left the group and took them along.
const DRAIN_TIME: Duration = Duration::from_secs(1);
