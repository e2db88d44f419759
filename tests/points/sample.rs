//! A part of very many cases, and trying them two at a time.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many cases are under way at once.
const AT_ONCE: usize = 2;

/// So many of them, evenly spread; all if there are no more.
pub(crate) fn spread<T>(all: Vec<T>, wanted: usize) -> Vec<T> {
    let total = all.len();
    let taken = |n: usize| n * wanted.min(total) / total;
    let place = |(n, _): &(usize, T)| taken(n + 1) > taken(*n);
    all.into_iter()
        .enumerate()
        .filter(place)
        .map(|(_, one)| one)
        .collect()
}

/// Tries each case; the results, as they came.
pub(crate) fn in_turn<T: Sync, R: Send>(cases: &[T], attempt: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let result = attempt(case);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

/// A line in one piece, while two threads talk.
pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(line.as_bytes()).unwrap();
    stdout.flush().unwrap();
}
