//! `custom.*`, a column for each custom field of the lists, and `--delimiter`.

use crate::support::{Site, files_below};
use aweber_sandbox::{Fault, FaultKind, NewSubscriber};
use std::path::Path;

const EACH: [&str; 2] = ["--columns", "id,custom.*,email"];

/// Two lists with different custom fields; one has a field without a name.
fn site_with_fields() -> (Site, u64, u64) {
    let site = Site::new();
    let (news, tips) = site.sandbox.with(|w| {
        let (news, tips) = (w.add_list("News"), w.add_list("Tips"));
        for (list, name) in [
            (news, "Size"),
            (news, "Color"),
            (tips, "Größe, cm"),
            (tips, "Size"),
        ] {
            w.add_custom_field(list, name);
        }
        w.add_custom_field(tips, "nameless");
        let fields = &mut w.list_mut(tips).unwrap().custom_fields;
        fields.last_mut().unwrap().name = None;
        (news, tips)
    });
    let ann = NewSubscriber::new("ann@example.com").custom("Color", "blue");
    site.sandbox.with(|w| w.add_subscriber(news, ann.id(1)));
    let bob = NewSubscriber::new("bob@example.com")
        .custom("Größe, cm", "190")
        .custom("Size", "L");
    site.sandbox.with(|w| w.add_subscriber(tips, bob.id(2)));
    (site, news, tips)
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

fn add(site: &Site, list: u64, id: u64, field: &str) {
    let new = NewSubscriber::new(format!("n{id}@example.com"));
    site.sandbox
        .with(|w| w.add_subscriber(list, new.id(id).custom(field, "x")));
}

#[test]
fn each_custom_field_of_the_lists_gets_a_column_list_by_list() {
    let (site, news, _) = site_with_fields();
    site.run_ok(&EACH).is_silent();
    assert_eq!(
        text(&site.files()[0]),
        "id,custom.Size,custom.Color,\"custom.Größe, cm\",email\n\
         1,,blue,,ann@example.com\n\
         2,L,,190,bob@example.com\n"
    );
    // Asked only if there is a new row.
    site.forget_requests();
    site.run_ok(&EACH);
    assert_eq!(site.requests(), 4);
    add(&site, news, 3, "Later");
    site.forget_requests();
    site.run_ok(&EACH).is_silent();
    assert_eq!(site.requests(), 4 + 2);
    assert_eq!(
        text(&site.files()[1]),
        "id,custom.Size,custom.Color,custom.Later,\"custom.Größe, cm\",email\n3,,,x,,n3@example.com\n"
    );
}

#[test]
fn only_the_custom_fields_of_the_selected_lists_get_a_column_and_one_named_stays_in_its_place() {
    let (site, ..) = site_with_fields();
    let columns = "custom.Color,id,custom.*";
    site.run_ok(&["--columns", columns, "--list", "News"]);
    assert_eq!(
        text(&site.files()[0]),
        "custom.Color,id,custom.Size\nblue,1,\n"
    );
}

#[test]
fn lists_without_custom_fields_leave_no_column() {
    let site = Site::new();
    site.add_list(1);
    site.run_ok(&["--columns", "custom.*,status"]);
    assert_eq!(text(&site.files()[0]), "status\nsubscribed\n");
}

#[test]
fn a_growing_file_keeps_its_columns_and_a_new_field_is_named() {
    let (site, news, _) = site_with_fields();
    let grow = [&EACH[..], &["--output", "grown.csv"]].concat();
    let header = "id,custom.Size,custom.Color,\"custom.Größe, cm\",email\n";
    site.run_ok(&grow).is_silent();
    add(&site, news, 3, "Later");
    site.run_ok(&grow)
        .says("warning: the custom field \"Later\" has no column")
        .says_next("move the file away");
    let grown = site.path("grown.csv");
    assert!(text(&grown).starts_with(header));
    assert!(text(&grown).ends_with("\n3,,,,n3@example.com\n"));
    // A consumer has removed rows.
    std::fs::write(&grown, header).unwrap();
    add(&site, news, 4, "Size");
    site.run_ok(&grow).is_silent();
    assert_eq!(text(&grown), format!("{header}4,x,,,n4@example.com\n"));
    // The next file begins with the fields that the lists have then.
    std::fs::rename(&grown, site.path("grown.csv.old")).unwrap();
    add(&site, news, 5, "Later");
    site.run_ok(&grow).is_silent();
    assert!(text(&grown).starts_with("id,custom.Size,custom.Color,custom.Later,"));
    // Other columns are another layout.
    let other = ["--columns", "email,custom.*", "--output", "grown.csv"];
    site.run(&other).exits(78).says("rows in another layout");
}

#[test]
fn custom_fields_that_cannot_be_asked_for_cost_no_row() {
    let (site, ..) = site_with_fields();
    site.sandbox.with(|w| {
        let fault = Fault::on("/custom_fields").always();
        w.fault(fault.answer(FaultKind::html(503)));
    });
    site.run(&EACH).exits(69);
    let left = files_below(&site.exports());
    assert!(left.is_empty(), "{left:?}");
    site.sandbox.with(|w| w.clear_faults());
    site.run_ok(&EACH);
    assert_eq!(site.rows().len(), 2);
}

#[test]
fn cells_stand_between_the_delimiter_that_is_chosen() {
    for (given, delimiter) in [(";", ";"), ("tab", "\t"), ("|", "|")] {
        let (site, news, _) = site_with_fields();
        let hard = NewSubscriber::new("c@example.com").name("a,b;c\td|e");
        site.sandbox.with(|w| w.add_subscriber(news, hard.id(3)));
        let grow = [
            "--delimiter",
            given,
            "--columns",
            "id,list_name,name",
            "--output",
            "g.csv",
        ];
        site.run_ok(&grow);
        let join = |cells: [&str; 3]| format!("{}\n", cells.join(delimiter));
        let grown = site.path("g.csv");
        assert_eq!(
            text(&grown),
            join(["id", "list_name", "name"])
                + &join(["1", "News", ""])
                + &join(["3", "News", "\"a,b;c\td|e\""])
                + &join(["2", "Tips", ""])
        );
        // A shorter file is parsed by the same delimiter.
        std::fs::write(
            &grown,
            join(["id", "list_name", "name"]) + &join(["1", "News", "\"x;\ty|\""]),
        )
        .unwrap();
        site.sandbox
            .with(|w| w.add_subscriber(news, NewSubscriber::new("d@example.com").id(4)));
        site.run_ok(&grow);
        assert!(text(&grown).ends_with(&join(["4", "News", ""])));
        site.run(&[&grow[2..], &["--delimiter", ":"]].concat())
            .exits(78)
            .says("another layout");
    }
}

#[test]
fn an_unsuitable_delimiter_or_column_is_a_usage_error() {
    let (site, ..) = site_with_fields();
    for (arguments, message) in [
        (&["--delimiter", "\""][..], "not a quote"),
        (&["--delimiter", "x"], "one ASCII character"),
        (&["--delimiter", ";;"], "one ASCII character"),
        (&["--delimiter", "\n"], "one ASCII character"),
        (
            &["--delimiter", ";", "--format", "jsonl"],
            "--format csv only",
        ),
        (&["--columns", "custom.*"], "needs another column"),
        (&["--columns", "id,custom.*,custom.*"], "duplicate custom.*"),
        (
            &["--columns", "id,custom.*", "--format", "jsonl"],
            "--format csv only",
        ),
    ] {
        site.run(arguments)
            .case(&format_args!("{arguments:?}"))
            .exits(2)
            .says(message);
    }
    assert_eq!(site.requests(), 0);
    let mut command = site.command(&["run", "--columns", "id,email"]);
    command.env("AWEBER_SYNC_DELIMITER", "tab");
    site.finish(command).exits(0);
    assert!(text(&site.files()[0]).starts_with("id\temail\n"));
}
