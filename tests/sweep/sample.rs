//! Which faults are tried, and trying them on both processors.

use crate::fault::{Case, Kind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many cases run at once.
const THREADS: usize = 2;

const MINUTE: Duration = Duration::from_secs(60);

/// The cases to try: `SWEEP` is their number for each kind, or `all`.
pub(crate) fn sample<'a>(kind: &dyn Kind, cases: Vec<Case<'a>>) -> Vec<Case<'a>> {
    let size = match std::env::var("SWEEP").ok().as_deref() {
        Some("all") => return cases,
        Some(number) => number.parse().expect("SWEEP must be a number or `all`"),
        None => kind.sample_size(),
    };
    let (repetitive, others): (Vec<_>, Vec<_>) = cases
        .into_iter()
        .partition(|case| kind.is_repetitive(&case.fault.point));
    let share = size / kind.repetitive_share();
    let mut chosen = spread(others, size - share);
    chosen.extend(spread(repetitive, share));
    chosen
}

/// `size` of them, evenly spread; all if they are fewer.
pub(crate) fn spread<T>(all: Vec<T>, size: usize) -> Vec<T> {
    let total = all.len();
    let taken_before = |n: usize| n * size.min(total) / total;
    all.into_iter()
        .enumerate()
        .filter(|(n, _)| taken_before(n + 1) > taken_before(*n))
        .map(|(_, one)| one)
        .collect()
}

/// Tries each case; the results, in the order in which they ended. Says once a minute how far it is.
pub(crate) fn try_all<'a, T: Sync, R: Send>(
    cases: &'a [T],
    attempt: impl Fn(&'a T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let said = Mutex::new(Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let result = attempt(case);
                    let mut results = results.lock().unwrap();
                    results.push(result);
                    let mut said = said.lock().unwrap();
                    if said.elapsed() > MINUTE {
                        println!("{} of {}", results.len(), cases.len());
                        *said = Instant::now();
                    }
                }
            });
        }
    });
    results.into_inner().unwrap()
}
