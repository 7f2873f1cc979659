//! What every client of the comparison does, whatever it pays with: warms up, waits for the word, pays so often with so
//! many payments in flight, and prints what that took.
//!
//! Its task is one JSON argument, its answer one JSON line; `peers/` has the same in other languages.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// What is bought.
    pub url: String,
    /// The payer's node.
    pub rpc: String,
    /// The chain.
    pub chain_id: u64,
    /// The payer's private key.
    pub key: String,
    warm_up: u64,
    number: u64,
    in_flight: u64,
    limit: Duration,
}

impl Task {
    /// The task that the command line names.
    ///
    /// # Errors
    /// When it names none.
    pub fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let task: Value = serde_json::from_str(&std::env::args().nth(1).ok_or("no task")?)?;
        let text = |name| task.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(name);
        let number = |name| task.get(name).and_then(Value::as_u64).ok_or(name);
        Ok(Task {
            url: text("url")?,
            rpc: text("rpc")?,
            chain_id: number("chainId")?,
            key: text("key")?,
            warm_up: number("warmUp")?,
            number: number("number")?,
            in_flight: number("inFlight")?,
            limit: Duration::from_secs(number("seconds")?),
        })
    }

    /// Runs it. `pay` makes one paid request and returns the receipt.
    ///
    /// # Errors
    /// When standard input or output fails, or a payment panics.
    pub async fn run<F>(self, pay: impl Fn() -> F + Send + Sync + 'static) -> Result<(), Box<dyn Error>>
    where
        F: Future<Output = Result<String, String>> + Send,
    {
        let pay = Arc::new(pay);
        let warm = self.load(&pay, self.warm_up).await?;
        say(&json!({ "warm": warm.receipts.len(), "failure": warm.failures.first() }))?;
        std::io::stdin().lock().read_line(&mut String::new())?;
        let (cpu, begun) = (cpu_time(), Instant::now());
        let load = self.load(&pay, self.number).await?;
        let (cpu, wall) = (cpu_time().saturating_sub(cpu), begun.elapsed());
        say(&json!({
            "wall": millis(wall),
            "cpu": millis(cpu),
            "peak": peak_memory()?,
            "latencies": load.latencies,
            "receipts": load.receipts,
            "failures": load.failures,
        }))
    }

    async fn load<F>(
        &self,
        pay: &Arc<impl Fn() -> F + Send + Sync + 'static>,
        number: u64,
    ) -> Result<Load, Box<dyn Error>>
    where
        F: Future<Output = Result<String, String>> + Send,
    {
        let (begun, done, limit) = (Instant::now(), Arc::new(AtomicU64::new(0)), self.limit);
        let mut workers = JoinSet::new();
        for _ in 0..self.in_flight.min(number) {
            let (pay, done) = (Arc::clone(pay), Arc::clone(&done));
            workers.spawn(async move {
                let mut load = Load::default();
                while done.fetch_add(1, Ordering::Relaxed) < number && begun.elapsed() < limit {
                    let begun = Instant::now();
                    match pay().await {
                        Ok(receipt) => {
                            load.latencies.push(millis(begun.elapsed()));
                            load.receipts.push(receipt);
                        }
                        Err(failure) => load.failures.push(failure),
                    }
                }
                load
            });
        }
        let mut all = Load::default();
        while let Some(load) = workers.join_next().await {
            let load = load?;
            all.latencies.extend(load.latencies);
            all.receipts.extend(load.receipts);
            all.failures.extend(load.failures);
        }
        Ok(all)
    }
}

/// What came of some payments.
#[derive(Default)]
struct Load {
    latencies: Vec<f64>,
    receipts: Vec<String>,
    failures: Vec<String>,
}

fn say(line: &Value) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// In KiB, as the kernel counts it (proc(5)).
fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(peak.trim().trim_end_matches(" kB").parse()?)
}
