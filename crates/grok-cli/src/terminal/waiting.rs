//! The line on standard error that says, while a call takes its time, what it waits for and how long it has. There is one
//! at a time, as there is one terminal; without a terminal there is none.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::look::{Look, is_dumb, look, width};
use super::text::{CODE, faint};

/// What some work comes to, while a line says what is waited for, such as `asking for the price`; nothing if ctrl-C comes
/// first, or the terminal closes, or the program is told to end. From the first call on, these end nothing else. There is
/// no other wait meanwhile.
pub(crate) async fn wait<T>(what: &str, work: impl Future<Output = T>) -> Option<T> {
    unless_told_to_end(async {
        let _line = Waiting::start(what);
        work.await
    })
    .await
}

/// The same without a line.
pub(crate) async fn unless_told_to_end<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // Before anything is seen of the work, it can be stopped.
        biased;
        () = told_to_end() => None,
        done = work => Some(done),
    }
}

/// Completes on ctrl-C, when the terminal closes, or when the program is told to end.
pub(crate) async fn told_to_end() {
    let [Ok(mut interrupt), Ok(mut terminate)] =
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    else {
        // Without a way to hear of them, they end the program as ever.
        return std::future::pending().await;
    };
    let hung_up = async {
        // Who was started to outlive its terminal has none, and goes on.
        match has_terminal().then(|| signal(SignalKind::hangup())) {
            Some(Ok(mut hangup)) => drop(hangup.recv().await),
            _ => std::future::pending().await,
        }
    };
    let for_good = tokio::select! {
        // A person who goes on typing means what is under way.
        _ = interrupt.recv() => !io::stdin().is_terminal(),
        _ = terminate.recv() => true,
        () = hung_up => true,
    };
    FOR_GOOD.fetch_or(for_good, Ordering::Relaxed);
}

fn has_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()
}

/// Whether what ended a wait was to end the program, and not that wait alone.
pub(crate) fn is_told_to_end() -> bool {
    FOR_GOOD.load(Ordering::Relaxed)
}

/// Takes the line of the wait away for good: what is waited for is there, piece by piece.
pub(crate) fn come() {
    if lock().take().is_some() {
        erase();
        OVER.notify_all();
    }
}

/// Says what is waited for by now, if there is a wait.
pub(crate) fn state(what: String) {
    if let Some(line) = &mut *lock() {
        line.what = what;
    }
}

/// Writes to the terminal while the line of a wait is out of the way. Nothing else of this module may be called meanwhile.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let line = lock();
    if line.is_some() {
        erase();
    }
    let written = write();
    line.iter().for_each(Line::draw);
    written
}

/// A wait. Its line is gone without a trace when this is.
#[derive(Debug)]
struct Waiting(Instant);

impl Waiting {
    fn start(what: &str) -> Self {
        let since = Instant::now();
        if io::stderr().is_terminal() && !is_dumb() {
            let mut line = lock();
            if line.is_some() {
                erase();
            }
            *line = Some(Line { since, what: what.to_owned() });
            std::thread::spawn(move || keep_drawing(since));
        }
        Waiting(since)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut line = lock();
        if line.take_if(|line| line.since == self.0).is_some() {
            erase();
            OVER.notify_all();
        }
    }
}

#[derive(Debug)]
struct Line {
    since: Instant,
    what: String,
}

impl Line {
    /// On one line, with room for the `^C` that a terminal writes.
    fn draw(&self) {
        let elapsed = self.since.elapsed();
        let frame = usize::try_from(elapsed.as_millis().div_euclid(TICK.as_millis())).unwrap_or_default();
        let mark = FRAMES.iter().cycle().nth(frame.rem_euclid(FRAMES.len())).unwrap_or(&"");
        let what: String = self.what.chars().take(width().saturating_sub(ROOM)).collect();
        let styled = look(&io::stderr()) == Look::Styled;
        let mark = if styled { format!("{CODE}{mark}{CODE:#}") } else { (*mark).to_owned() };
        let seconds = faint(&format!("{} s", elapsed.as_secs()), styled);
        // A terminal that is gone needs no line.
        let _ = write!(io::stderr(), "{ERASE}{mark} {what} {seconds}");
    }
}

/// Draws the line of the wait that began then, for as long as it is the wait there is.
fn keep_drawing(since: Instant) {
    let mut line = lock();
    while let Some(current) = line.as_ref().filter(|line| line.since == since) {
        current.draw();
        (line, _) = OVER.wait_timeout(line, TICK).unwrap_or_else(PoisonError::into_inner);
    }
}

fn erase() {
    let _ = write!(io::stderr(), "{ERASE}");
}

fn lock() -> MutexGuard<'static, Option<Line>> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The line of the wait there is. Who draws holds it.
static LINE: Mutex<Option<Line>> = Mutex::new(None);
/// The program was told to end.
static FOR_GOOD: AtomicBool = AtomicBool::new(false);
/// A wait is over.
static OVER: Condvar = Condvar::new();

const TICK: Duration = Duration::from_millis(100);
const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const ERASE: &str = "\r\x1b[K";
/// Columns that the mark, the seconds and a `^C` take.
const ROOM: usize = 12;
