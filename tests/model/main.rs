//! Random histories of lists and runs: `cargo test --test model`. Draws sequences of changes of the lists and of runs,
//! undisturbed and disturbed, plays them against the sandbox with the real binary, and compares the published rows with
//! the model after each run. `MODEL_CASES` is the number of sequences (320 unless set); the seed is fixed, or `MODEL_SEED`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[allow(dead_code, unused_imports, reason = "shared with the tests in `it`")]
#[path = "../it/support/mod.rs"]
mod support;

mod model;
mod play;

use model::Kind;
use play::Step::{
    self, Add, AddUnconfirmed, Confirm, Days, Delete, Forget, FullStopped, Import, Late, Move,
    Resubscribe, RunTwice, Unsubscribe,
};
use play::{BOTH, Disturbance, Run, play};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

fn step() -> impl Strategy<Value = Step> {
    let (list, which) = (0..2_usize, any::<u8>());
    let lists = prop_oneof![5 => Just(0b11_u8), 1 => Just(0b01), 1 => Just(0b10)];
    let disturbance = prop_oneof![
        5 => Just(Disturbance::None),
        3 => (1..12_u32, any::<bool>()).prop_map(|(nth, work_done)| Disturbance::Killed { nth, work_done }),
        1 => (1..12_u32).prop_map(Disturbance::AnswerLost),
        1 => (1..8_u32).prop_map(Disturbance::Stopped),
        1 => Just(Disturbance::RefreshLost),
        1 => (1..8_u32).prop_map(Disturbance::TokenExpires),
    ];
    let since = weighted(0.15, 0..12_u8);
    let full = proptest::bool::weighted(0.1);
    let kinds = prop_oneof![
        3 => Just(BOTH),
        3 => Just(&[Kind::Arrival][..]),
        1 => Just(&[Kind::Departure][..]),
    ];
    let run = (lists, any::<bool>(), full, kinds, since, disturbance);
    let run = run.prop_map(
        |(lists, by_exclusion, full, kinds, since, disturbance)| Run {
            kinds,
            lists,
            by_exclusion,
            full,
            since,
            disturbance,
        },
    );
    prop_oneof![
        3 => (list.clone(), 1..4_u8).prop_map(|(list, count)| Add(list, count)),
        1 => (list.clone(), 90..130_u8).prop_map(|(list, count)| Add(list, count)),
        4 => list.clone().prop_map(AddUnconfirmed),
        4 => which.prop_map(Confirm),
        4 => which.prop_map(Unsubscribe),
        3 => (which, any::<bool>()).prop_map(|(which, new_time)| Resubscribe(which, new_time)),
        2 => (which, any::<bool>()).prop_map(|(which, keep_time)| Move(which, keep_time)),
        2 => which.prop_map(Delete),
        1 => (list.clone(), 1..400_u16).prop_map(|(list, days)| Import(list, days)),
        2 => (1..9_u8).prop_map(Days),
        2 => (list.clone(), 1..25_u8).prop_map(|(list, days)| Late(list, days)),
        8 => run.prop_map(Step::Run),
        1 => Just(RunTwice),
        1 => (2..8_u32, list.clone(), 1..400_u16).prop_map(|(nth, list, days)| FullStopped { nth, list, days }),
        1 => (list, weighted(0.5, 0..12_u8)).prop_map(|(list, days)| Forget(list, days)),
    ]
}

/// Half of the sequences; the seeds of the halves differ, so that the two tests can run in parallel.
fn sequences(half: u8) {
    let number = |name: &str, unset: u64| {
        std::env::var(name).map_or(unset, |value| value.parse().expect("a number"))
    };
    let cases = u32::try_from(number("MODEL_CASES", 320).div_ceil(2)).unwrap();
    let mut seed = [half; 32];
    seed[..8].copy_from_slice(&number("MODEL_SEED", 2_026).to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let outcome = runner.run(&vec(step(), 4..16), |steps| {
        play(&steps);
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = outcome {
        panic!("add a test that plays this sequence:\n{error}");
    }
}

#[test]
fn first_half_of_histories_exports_every_subscriber_once() {
    sequences(1);
}

#[test]
fn second_half_of_histories_exports_every_subscriber_once() {
    sequences(2);
}
