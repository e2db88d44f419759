//! End-to-end tests: the real binary, over real HTTP to the sandbox, on a real file system. One module for each
//! promise; `support` has what they share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "tests"
)]

mod append;
mod arrivals_first;
mod authorize;
mod authorize_again;
mod authorize_import;
mod authorize_keeps;
mod authorize_refused;
mod changing_lists;
mod check;
mod clock;
mod closed_output;
mod commands;
mod csv;
mod custom_columns;
mod day_filters;
mod departures;
mod dry_run;
mod echoed_secrets;
mod failing_disk;
mod failing_lists;
mod file_modes;
mod footprint;
mod forget_revoke;
mod forget_subscriber;
mod full_again;
mod full_disk;
mod hostile_ledger;
mod hostile_names;
mod hostile_output;
mod layouts;
mod ledger;
mod limits;
mod locking;
mod many_lists;
mod many_runs;
mod missing_lists;
mod monitoring;
mod monitoring_examples;
mod network;
mod no_row_duplicated;
mod no_row_lost;
mod oauth1;
mod oauth1_authorize;
mod oauth1_judge;
mod one_path;
mod output_files;
mod outputs;
mod ownership;
mod packaging;
mod pending;
mod pings;
mod prefetch;
mod rate_limits;
mod readme;
mod readme_blocks;
mod readme_links;
mod readme_options;
mod recovered_rows;
mod recovery;
mod rotated;
mod rotten_ledger;
mod secret_files;
mod secrets;
mod selection;
mod shared_directory;
mod shipped_scripts;
mod signals;
mod since;
mod steady;
mod structure;
mod support;
mod tls;
mod token_answers;
mod token_command;
mod token_command_fails;
mod token_command_older;
mod token_disk;
mod token_expiry;
mod token_file;
mod token_window;
mod tokens;
mod trusted_hosts;
mod typed;
mod unreachable;
mod unreadable;
mod upgrade;
mod usage;
mod wrong_directories;
