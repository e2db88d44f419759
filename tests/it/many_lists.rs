//! A ledger of many lists and of years: what is read of it does not grow with the product of both.

use crate::support::Site;
use std::time::{Duration, Instant};

#[test]
fn status_reads_the_rows_of_all_batches_once_however_many_lists_there_are() {
    let site = Site::new();
    site.add_list(1);
    site.run_ok(&[]);
    // 3,000 lists with new rows in each of 100 batches.
    site.ledger()
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO feed SELECT i, 'arrivals', '{}', '{}' FROM n;
             CREATE TEMP TABLE one AS SELECT * FROM batch;
             WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 101)
             INSERT INTO batch SELECT i, state, kind, target, stage, marker, mode, format, columns, named_at, length, rows,
                                      appended_at, with_header, published_at FROM n, one;
             INSERT INTO batch_feed SELECT batch.id, feed.list, 'arrivals', 1 FROM batch, feed
                                    WHERE batch.id > 1 AND feed.list <= 3000;",
        )
        .unwrap();
    let began = Instant::now();
    let done = site.finish(site.command(&["status", "--json"]));
    // A pass for each list takes minutes, also on an idle machine.
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    let status: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let lists = status["lists"].as_array().unwrap();
    assert_eq!(lists.len(), 3001);
    assert!(
        lists[..3000].iter().all(|list| list["rows"] == 100),
        "{done}"
    );
    assert_eq!(lists[3000]["rows"], 1, "{done}");
}
