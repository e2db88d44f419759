//! The program as its users meet it: the real binary, over real HTTP to the sandbox, on a real file system. One
//! module a promise; `support` holds what they share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod ahead;
mod append;
mod authorize;
mod authorize_again;
mod authorize_import;
mod authorize_keeps;
mod authorize_refused;
mod changing_lists;
mod clock;
mod closed_output;
mod commands;
mod crowd;
mod csv;
mod days;
mod dry_run;
mod failing_disk;
mod failing_lists;
mod full_disk;
mod good_citizen;
mod layouts;
mod ledger;
mod limits;
mod missing_lists;
mod modes;
mod network;
mod no_row_doubled;
mod no_row_lost;
mod nobody_gets_in;
mod one_at_a_time;
mod output_files;
mod outputs;
mod packaging;
mod pending;
mod pings;
mod readme;
mod readme_blocks;
mod recovery;
mod rotated;
mod secrets;
mod side_by_side;
mod signals;
mod since;
mod small;
mod structure;
mod support;
mod tls;
mod token_answers;
mod token_disk;
mod token_file;
mod token_window;
mod tokens;
mod tokens_during_a_run;
mod undo;
mod unreachable;
mod watching;
mod which_subscribers;
mod wrong_directories;
