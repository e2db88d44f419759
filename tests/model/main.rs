//! Any history of lists and runs: `cargo test --test model`. Draws sequences of what people do on lists and of runs
//! that end well and badly, plays them against the sandbox with the real binary, and compares the published rows with
//! the model after each run. `MODEL_CASES` is how many sequences (500 unless set); the seed is fixed, or `MODEL_SEED`.

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

use play::Step::{
    self, Add, AddUnconfirmed, Confirm, Days, Delete, Import, Late, Move, Resubscribe, Run,
    RunTwice, Unsubscribe,
};
use play::{Trouble, play};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

fn step() -> impl Strategy<Value = Step> {
    let (list, who) = (0..2_usize, any::<u8>());
    let lists = prop_oneof![5 => Just(0b11_u8), 1 => Just(0b01), 1 => Just(0b10)];
    let trouble = prop_oneof![
        5 => Just(Trouble::None),
        3 => (1..12_u32, any::<bool>()).prop_map(|(nth, work_done)| Trouble::Killed { nth, work_done }),
        1 => (1..12_u32).prop_map(Trouble::AnswerLost),
        1 => Just(Trouble::RefreshLost),
        1 => (1..8_u32).prop_map(Trouble::TokenExpires),
    ];
    prop_oneof![
        3 => (list.clone(), 1..4_u8).prop_map(|(list, count)| Add(list, count)),
        1 => (list.clone(), 90..130_u8).prop_map(|(list, count)| Add(list, count)),
        4 => list.clone().prop_map(AddUnconfirmed),
        4 => who.prop_map(Confirm),
        2 => who.prop_map(Unsubscribe),
        3 => (who, any::<bool>()).prop_map(|(who, anew)| Resubscribe(who, anew)),
        2 => (who, any::<bool>()).prop_map(|(who, keep)| Move(who, keep)),
        2 => who.prop_map(Delete),
        1 => (list.clone(), 1..400_u16).prop_map(|(list, days)| Import(list, days)),
        2 => (1..9_u8).prop_map(Days),
        2 => (list.clone(), 1..25_u8).prop_map(|(list, days)| Late(list, days)),
        8 => (lists, proptest::bool::weighted(0.1), trouble).prop_map(|(lists, full, trouble)| Run { lists, full, trouble }),
        1 => Just(RunTwice),
    ]
}

/// Half of the sequences, from a seed of their own; the halves run side by side.
fn sequences(half: u8) {
    let number = |name: &str, unset: u64| {
        std::env::var(name).map_or(unset, |value| value.parse().expect("a number"))
    };
    let cases = u32::try_from(number("MODEL_CASES", 500).div_ceil(2)).unwrap();
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
        panic!("make this a test of its own below:\n{error}");
    }
}

#[test]
fn any_history_exports_everybody_once_first_half() {
    sequences(1);
}

#[test]
fn any_history_exports_everybody_once_second_half() {
    sequences(2);
}
