//! Rows that an earlier run collected count for the run that publishes them; and those who wait on lists that no run
//! looks at are forgotten in time.

use crate::support::calendar::{add_readers, at, reader, sign_up};
use crate::support::job::{Job, OutputKind};
use crate::support::{Site, subscribed};
use chrono::{DateTime, TimeDelta, Utc};

fn day(n: i64) -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z") + TimeDelta::days(n)
}

#[test]
fn recovered_rows_are_in_the_metrics_the_summary_and_the_table_of_runs() {
    let job = Job::with_open_batch(OutputKind::Directory);
    let site = &job.site;
    let file = site.path("aweber.prom");
    let metrics = ["--metrics-file", file.to_str().unwrap()];
    let done = site.run_ok(&[&metrics[..], &["-v", "--log-format", "json"]].concat());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("aweber_sync_last_run_rows 250\n"), "{text}");
    let line = done.stderr.lines().find(|line| line.contains("run_done"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(
        (&line["rows"], &line["recovered"]),
        (&51.into(), &199.into())
    );
    let sql = "SELECT rows FROM run ORDER BY id DESC";
    let rows: i64 = site.ledger().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 250);
}

#[test]
fn those_who_wait_on_a_deleted_list_are_forgotten_at_once() {
    let site = Site::on(day(0));
    let lists = ["News", "Tips"].map(|name| site.list(name));
    for list in lists {
        site.add(list, sign_up(&format!("late{list}@example.com"), day(0)));
    }
    site.run_ok(&[]);
    site.sandbox.with(|w| w.remove_list(lists[1]));
    site.run_ok(&[]);
    assert_eq!(
        (site.pending(lists[0]).len(), site.pending(lists[1]).len()),
        (1, 0)
    );
}

#[test]
fn those_who_wait_on_an_excluded_list_are_forgotten_after_33_days() {
    let site = Site::on(day(0));
    let lists = ["News", "Tips"].map(|name| site.list(name));
    site.sandbox
        .with(|w| add_readers(w, lists[1], 150, day(0), TimeDelta::hours(1)));
    let late = site.add(lists[1], sign_up("late@example.com", day(0)));
    site.run_ok(&[]);
    for today in [10, 20, 33] {
        site.set_now(day(today));
        site.run_exports(&["--exclude-list", "Tips"], &[]);
        assert_eq!(site.pending(lists[1]), [late], "day {today}");
    }
    site.sandbox.with(|w| w.confirm(lists[1], late));
    site.set_now(day(34));
    site.run_exports(&["--exclude-list", "Tips"], &[]);
    assert!(site.pending(lists[1]).is_empty());
    // Whoever confirmed in the meantime is found once the list is exported again.
    site.add(lists[1], reader("new@example.com", day(34)));
    site.run_exports(&[], &["late@example.com", "new@example.com"]);
    assert_eq!(site.emails(), subscribed(&site, &lists));
}
