//! The cost of a page does not grow with the list.

use std::time::{Duration, Instant};

use aweber_sandbox::Sandbox;

use crate::http::Reader;

#[test]
fn pages_of_a_large_list_are_fast() {
    let sandbox = Sandbox::start();
    let list = sandbox.with(|world| {
        world.settings.rate_limit = None;
        let list = world.add_list("Large");
        world.add_subscribers(list, 200_000);
        list
    });
    let reader = Reader::new(&sandbox);
    let path = format!("/accounts/1234567/lists/{list}/subscribers");
    for question in [
        "x=1",
        "ws.op=find&status=subscribed",
        "ws.op=find&subscribed_after=2020-01-01&sort_order=desc",
    ] {
        // The first request builds the index.
        assert_eq!(reader.get(&format!("{path}?{question}")).status, 200);
        let begin = Instant::now();
        for page in 0..20 {
            assert_eq!(
                reader
                    .get(&format!("{path}?{question}&ws.start={}", page * 9_900))
                    .ids()
                    .len(),
                100
            );
        }
        // A debug build on a loaded machine; a release build needs a twentieth of it.
        assert!(
            begin.elapsed() < Duration::from_secs(3),
            "{question}: {:?} for 20 pages",
            begin.elapsed()
        );
        eprintln!("{question}: {:?} a page", begin.elapsed() / 20);
    }
}
