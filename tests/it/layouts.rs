//! Layouts of the export: jsonl, selected columns, custom fields, spreadsheets; a batch and a growing file keep the
//! layout they were started with.

use crate::support::job::{HEADER, Job, OutputKind};
use crate::support::{Site, parse_csv, subscribed};
use aweber_sandbox::NewSubscriber;
use rustix::process::Signal;
use serde_json::{Value, json};

/// A site with one subscriber, changed by `change`.
fn one_subscriber(change: impl FnOnce(NewSubscriber) -> NewSubscriber) -> Site {
    let site = Site::new();
    site.sandbox.with(|world| {
        let list = world.add_list("News");
        world.add_subscriber(list, change(NewSubscriber::new("a@example.com")));
    });
    site
}

/// The file that a run with these arguments publishes.
fn exported(site: &Site, arguments: &[&str]) -> String {
    site.run_ok(arguments);
    std::fs::read_to_string(&site.files()[0]).unwrap()
}

/// Asserts exit code 2 with this message before any request.
fn assert_usage_error(arguments: &[&str], message: &str) {
    let site = one_subscriber(|new| new);
    site.run(arguments).exits(2).says(message);
    assert_eq!(site.requests(), 0);
}

#[test]
fn jsonl_has_one_object_per_line_with_every_field_as_received() {
    let site = one_subscriber(|new| {
        new.with("misc_notes", Value::Null)
            .with_raw("latitude", "40.10")
            .with_raw("big", "12345678901234567890123")
            .with(
                "later_field",
                json!({"b": [1, null, " x "], "a": "é\n\u{1F600}"}),
            )
            .custom("Zebra", "1")
            .custom("apple", "2")
            .name("O\"Neil, \r\nJr")
    });
    let text = exported(&site, &["--format", "jsonl"]);
    assert_eq!(site.files()[0].extension().unwrap(), "jsonl");
    assert_eq!(text.matches('\n').count(), 1);
    assert!(text.ends_with("}\n"));
    // A parser would lose these digits and this order.
    for part in [
        "\"latitude\":40.10,",
        "\"big\":12345678901234567890123",
        "\"custom_fields\":{\"Zebra\":\"1\",\"apple\":\"2\"}",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let object: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        object["later_field"],
        json!({"b": [1, null, " x "], "a": "é\n\u{1F600}"})
    );
    assert_eq!(object["name"], "O\"Neil, \r\nJr");
    assert_eq!(object["email"], "a@example.com");
    // A null stays, and no field is added.
    assert!(object["misc_notes"].is_null() && object.get("misc_notes").is_some());
    assert!(object.get("list_id").is_none());
}

#[test]
fn jsonl_works_with_a_growing_file_and_standard_output() {
    let site = one_subscriber(|new| new);
    let file = ["--format", "jsonl", "--output", "all.jsonl"];
    site.run_ok(&file);
    site.sandbox.with(|world| {
        let list = world.lists().next().unwrap().id;
        world.add_subscriber(list, NewSubscriber::new("b@example.com"))
    });
    site.run_ok(&file);
    let text = std::fs::read_to_string(site.path("all.jsonl")).unwrap();
    let email = |line: &str| serde_json::from_str::<Value>(line).unwrap()["email"].clone();
    let emails: Vec<Value> = text.lines().map(email).collect();
    assert_eq!(emails, ["a@example.com", "b@example.com"]);

    let site = one_subscriber(|new| new);
    let done = site.run_ok(&["--format", "jsonl", "--output", "-"]);
    assert_eq!(email(&done.stdout), "a@example.com");
}

#[test]
fn columns_are_selected_and_ordered_and_custom_fields_match_case_sensitively() {
    let site = one_subscriber(|new| {
        new.custom("Color", "blue")
            .custom("COLOR", "red")
            .custom("color", "green")
            .custom("with \"quotes\", commas", "x")
            .custom("Size", 7)
            .custom("None", Value::Null)
    });
    let columns = "custom.color,email,custom.COLOR,list_name,custom.Color,custom.Size,custom.None,\
                   \"custom.with \"\"quotes\"\", commas\"";
    assert_eq!(
        exported(&site, &["--columns", columns]),
        format!("{columns}\ngreen,a@example.com,red,News,blue,7,,x\n")
    );
}

#[test]
fn an_unknown_custom_field_is_a_warning_and_an_empty_column() {
    let site = one_subscriber(|new| new.custom("Color", "blue"));
    let done = site.run_ok(&["--columns", "email,custom.Color,custom.colour"]);
    assert_eq!(done.stderr.matches("warning").count(), 1, "{}", done.stderr);
    done.says("\"colour\"");
    let rows = site.rows();
    assert_eq!(
        (
            rows[0]["custom.Color"].as_str(),
            rows[0]["custom.colour"].as_str()
        ),
        ("blue", "")
    );
}

#[test]
fn an_unknown_column_or_a_contradictory_layout_is_a_usage_error() {
    assert_usage_error(
        &["--columns", "email,shoe_size"],
        "there is no column \"shoe_size\"",
    );
    assert_usage_error(
        &["--columns", "email,shoe_size"],
        "choose from list_id, list_name, id, email,",
    );
    assert_usage_error(&["--columns", "Email"], "there is no column \"Email\"");
    assert_usage_error(&["--columns", "custom."], "there is no column \"custom.\"");
    assert_usage_error(&["--columns", " , "], "names no column");
    assert_usage_error(
        &["--format", "jsonl", "--columns", "email"],
        "--format csv only",
    );
    assert_usage_error(&["--format", "jsonl", "--excel"], "--format csv only");
    assert_usage_error(&["--format", "xml"], "xml");
}

#[test]
fn excel_output_has_a_byte_order_mark_crlf_and_no_formulas() {
    let site = Site::new();
    let names = [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+1+1", "'+1+1"),
        ("-2-3", "'-2-3"),
        ("\tx", "'\tx"),
        ("\rx", "\"'\rx\""),
        ("+1 555 0100", "+1 555 0100"),
        ("-71.0589", "-71.0589"),
        ("it's = fine", "it's = fine"),
    ];
    site.sandbox.with(|world| {
        let list = world.add_list("=News");
        for (n, (name, _)) in names.iter().enumerate() {
            let at = world.ago(std::time::Duration::from_secs(3600 - n as u64));
            world.add_subscriber(
                list,
                NewSubscriber::new("a@example.com")
                    .name(*name)
                    .subscribed_at(at),
            );
        }
    });
    let text = exported(&site, &["--excel", "--columns", "name,list_name,custom.=x"]);
    let rows: String = names
        .iter()
        .map(|(_, safe)| format!("{safe},'=News,\r\n"))
        .collect();
    assert_eq!(text, format!("\u{FEFF}name,list_name,custom.=x\r\n{rows}"));

    // Only on request.
    let plain = one_subscriber(|new| new.name("=1+1"));
    assert!(exported(&plain, &[]).starts_with(HEADER));
    assert_eq!(plain.rows()[0]["name"], "=1+1");
}

#[test]
fn a_growing_file_with_another_layout_is_refused_before_any_request_and_the_advice_works() {
    let changes: [&[&str]; 4] = [
        &["--columns", "email"],
        &["--format", "jsonl"],
        &["--excel"],
        // As long as the default header, with a difference far from its start.
        &[
            "--columns",
            "list_id,list_name,id,email,name,status,subscribed_at,verified_at,misc_notes",
        ],
    ];
    for change in changes {
        let site = one_subscriber(|new| new);
        let file = site.path("all.csv");
        let begun = ["--output", "all.csv"];
        site.run_ok(&begun);
        site.sandbox.with(|world| {
            let list = world.lists().next().unwrap().id;
            world.add_subscriber(list, NewSubscriber::new("b@example.com"));
        });
        let (before, token) = (std::fs::read(&file).unwrap(), site.token_bytes());
        site.forget_requests();
        let changed = [&begun[..], change].concat();
        let done = site.run(&changed);
        done.exits(78);
        assert_eq!(site.requests(), 0);
        done.says("has rows in another layout");
        let out = format!("mv '{0}' '{0}.old'", file.display());
        done.says(&out);
        assert_eq!(
            (std::fs::read(&file).unwrap(), site.token_bytes()),
            (before, token)
        );

        std::fs::rename(&file, site.path("all.csv.old")).unwrap();
        site.run_ok(&changed);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.contains("b@example.com") && !text.contains("a@example.com"),
            "{text}"
        );
    }
}

#[test]
fn a_leftover_batch_is_finished_with_its_original_layout() {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(250);
    let begun = ["--columns", "email,id"];
    let held = job.site.hold_on("status=subscribed", &begun, 3);
    let (stopped, _) = job.site.stop(held, Signal::TERM);
    stopped.exits(143);
    job.site.run_ok(&["--format", "jsonl"]);
    let files = job.site.files();
    let names: Vec<_> = files.iter().map(|file| file.extension().unwrap()).collect();
    assert_eq!(names, ["csv", "jsonl"]);
    let first = std::fs::read_to_string(&files[0]).unwrap();
    assert!(first.starts_with("email,id\n"), "{first}");
    let second = std::fs::read_to_string(&files[1]).unwrap();
    let object = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let emails = second
        .lines()
        .map(|line| object(line)["email"].as_str().unwrap().to_owned());
    let first = parse_csv(&first)
        .into_iter()
        .map(|row| row["email"].clone());
    let mut all: Vec<String> = first.chain(emails).collect();
    all.sort();
    assert_eq!(all, subscribed(&job.site, &[job.list]));
}
