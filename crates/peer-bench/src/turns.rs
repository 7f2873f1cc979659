//! Several pieces of work in one process, timed in turns, so that the two halves of a ratio see the same machine.

use std::hint::black_box;
use std::time::Instant;

use crate::stats::Samples;

/// What each piece of work took in each turn, in seconds.
pub(crate) struct Turns<const N: usize>([Vec<f64>; N]);

/// Times every piece of work once a turn, `runs` of it at a time.
pub(crate) fn in_turns<const N: usize>(turns: usize, runs: u32, works: [&dyn Fn(); N]) -> Turns<N> {
    let mut times = [(); N].map(|()| Vec::new());
    for _ in 0..turns {
        for (work, times) in works.iter().zip(&mut times) {
            let begun = Instant::now();
            for _ in 0..runs {
                work();
            }
            times.push(begun.elapsed().as_secs_f64() / f64::from(runs));
        }
    }
    Turns(times)
}

impl<const N: usize> Turns<N> {
    /// What each took.
    pub(crate) fn each(&self) -> [Samples; N] {
        self.0.each_ref().map(|times| Samples::new(times.iter().copied()))
    }

    /// How many times as long as the first each took, in the same turn.
    pub(crate) fn ratios(&self) -> [Samples; N] {
        let first = self.0.first();
        self.0.each_ref().map(|times| {
            let pairs = times.iter().zip(first.into_iter().flatten());
            Samples::new(pairs.map(|(time, first)| time / first))
        })
    }
}

/// Keeps the compiler from leaving out work whose result nobody uses.
pub(crate) fn done<T>(result: T) {
    black_box(result);
}
