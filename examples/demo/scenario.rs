//! The scenario, one function for each step.

use crate::Result;
use crate::checks::{self, Row, check};
use crate::output::{checked, command, command_output, heading, table, text};
use crate::program::{Program, code_on_page};
use aweber_sandbox::{Fault, FaultKind, NewSubscriber, Sandbox, Settings, Status, World};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The request for the large list that is never answered. The first one counts the unconfirmed, then the pages follow.
const UNANSWERED: u32 = 14;

/// The request that is answered late, by more than the second after which the program writes a checkpoint.
const DELAYED: u32 = 11;
const DELAY: Duration = Duration::from_millis(1_100);

/// The columns in the final table.
const SHOWN: [&str; 7] = [
    "list_name",
    "id",
    "email",
    "name",
    "subscribed_at",
    "city",
    "tags",
];

struct Scenario<'a> {
    sandbox: &'a Sandbox,
    program: Program<'a>,
    state: &'a Path,
    newsletter: u64,
    customers: u64,
    ada: u64,
}

/// Runs all steps; every file of the program is kept in `state`.
pub(crate) fn run(binary: PathBuf, state: &Path) -> Result<()> {
    let sandbox = Sandbox::try_start(Settings::default())?;
    let [newsletter, customers, ada] = sandbox.with(add_lists);
    let scenario = Scenario {
        program: Program::new(binary, &sandbox, state),
        sandbox: &sandbox,
        state,
        newsletter,
        customers,
        ada,
    };
    scenario.connect()?;
    scenario.first_export()?;
    scenario.list_changes_during_a_run()?;
    scenario.killed_between_pages()?;
    scenario.killed_after_token_rotation()?;
    scenario.final_check()
}

/// Adds a list of 240 readers and one unconfirmed sign-up, and a list of four customers.
fn add_lists(world: &mut World) -> [u64; 3] {
    world.set_now(world.ago(Duration::ZERO));
    let newsletter = world.add_list("Newsletter");
    let customers = world.add_list("Customers");
    world.add_subscribers(newsletter, 240);
    let ada = NewSubscriber::new("ada@example.org")
        .name("Ada")
        .status(Status::Unconfirmed);
    let ada = world.add_subscriber(newsletter, ada.subscribed_at(world.ago(5 * DAY)));
    for (days, name, city) in [
        (9, "Grace", "Arlington"),
        (7, "Alan", "London"),
        (4, "Edsger", "Austin"),
        (2, "Barbara", "Los Angeles"),
    ] {
        let new = customer(name, city).tags(["customer"]);
        world.add_subscriber(customers, new.subscribed_at(world.ago(days * DAY)));
    }
    [newsletter, customers, ada]
}

fn customer(name: &str, city: &str) -> NewSubscriber {
    NewSubscriber::new(format!("{}@example.com", name.to_lowercase()))
        .name(name)
        .with("city", city)
}

impl Scenario<'_> {
    fn connect(&self) -> Result<()> {
        heading("1. Connect an account");
        text(
            "The demo starts a sandbox AWeber on loopback: a real HTTP server that behaves as AWeber does.\n\
             These settings point the program at it; for AWeber itself, only the client id is needed.",
        );
        self.program.print_environment();
        self.program.authorize(|url| {
            let code = code_on_page(url)?;
            text("  (The demo opens that page as your browser would, and pastes the code shown on it:)");
            command_output(&format!("{code}\n\n"));
            Ok(code)
        })?;
        self.stored_token_works()?;
        checked("the tokens are stored, and AWeber accepts them");
        Ok(())
    }

    fn first_export(&self) -> Result<()> {
        heading("2. The first run exports every subscriber");
        text(
            "Newsletter has 240 readers, Customers has four. Ada signed up too, but has not clicked the\n\
             link in her confirmation mail yet.",
        );
        self.program.run()?;
        self.each_exported_once(244)?;
        checked("244 subscribers, each exactly once; Ada is not among them");
        text("\nA second run finds nothing new:");
        let output = self.program.run()?;
        check(output.contains("nothing new"), "the run found new rows")?;
        let files = checks::file_names(&self.exports())?;
        check(files.len() == 1, "the run created a file")?;
        checked("the second run created no file");
        Ok(())
    }

    fn list_changes_during_a_run(&self) -> Result<()> {
        heading("3. Twenty days later, a list changes while it is read");
        let newsletter = self.newsletter;
        let shifted: Vec<String> = self.sandbox.with(|world| {
            world.set_now(world.now() + 20 * DAY);
            let pages = format!("/lists/{newsletter}/subscribers?");
            world.add_subscribers(newsletter, 230);
            world.confirm(newsletter, self.ada);
            let readers = world.subscribers(newsletter).filter(|s| s.id != self.ada);
            let readers: Vec<(u64, String)> = readers.map(|s| (s.id, s.email.clone())).collect();
            let deleted: Vec<u64> = readers[..3].iter().map(|(id, _)| *id).collect();
            // From then on the first three rows of the next page are on a page that has been read already.
            world.before(&pages, 4, move |world| {
                deleted.iter().for_each(|id| world.delete(newsletter, *id));
            });
            let shifted = readers[300..303].iter();
            shifted.map(|(_, email)| email.clone()).collect()
        });
        text(
            "Newsletter has 230 new readers, and Ada has confirmed her address. While the run pages through\n\
             the list, three subscribers at its beginning are deleted, and all rows behind them move up.\n\
             A program that relies on page numbers would miss three others:",
        );
        text(&format!("{}.", shifted.join(", ")));
        self.program.run()?;
        let exported = checks::emails(&self.each_exported_once(475)?);
        let left = self
            .sandbox
            .with(|world| world.subscribers(newsletter).count());
        check(left == 468, "nothing was deleted during the run")?;
        let found = shifted.iter().all(|email| exported.contains(email));
        check(found, format!("not all of {shifted:?} were exported"))?;
        checked("exactly the 230 new readers and Ada; the three that moved are among them");
        Ok(())
    }

    fn killed_between_pages(&self) -> Result<()> {
        heading("4. Power fails in the middle of an export");
        let pages = self.sandbox.with(|world| {
            let list = world.add_list("Webinar");
            world.add_subscribers(list, 1400);
            let pages = format!("/lists/{list}/subscribers?");
            let late = Fault::on(&pages).skip(DELAYED - 1);
            world.fault(late.answer(FaultKind::DelayBefore(DELAY)));
            let unanswered = Fault::on(&pages).skip(UNANSWERED - 1);
            world.fault(unanswered.answer(FaultKind::Never { work_done: false }));
            pages
        });
        text(
            "A new list has 1,400 subscribers, which takes 15 requests for pages. At the 13th the run is\n\
             killed by the signal that no program can catch:",
        );
        self.program.run_and_kill(&pages, UNANSWERED)?;
        command(&format!("ls -A {}", self.exports().display()));
        command_output(&checks::file_names(&self.exports())?.join("\n"));
        text(
            "\nThe rows read so far are in the hidden file, and the ledger records how many of them are valid.\n\
             The next run publishes them before it sends any request, then continues behind them:",
        );
        let before_kill = self.sandbox.with(|world| world.count(&pages));
        self.program.run()?;
        self.each_exported_once(1875)?;
        let after_kill = self.sandbox.with(|world| world.count(&pages)) - before_kill;
        check(after_kill < before_kill, "the second run started over")?;
        checked(&format!(
            "1,400 more, each once; {before_kill} requests for that list before the kill, {after_kill} after it"
        ));
        Ok(())
    }

    fn killed_after_token_rotation(&self) -> Result<()> {
        heading("5. Power fails at the worst moment for the token");
        text(
            "With each refresh AWeber issues a new refresh token and invalidates the old one at once. So the\n\
             next kill comes just after AWeber has rotated the token, before the first API request is answered:",
        );
        let old = checks::stored_refresh_token(self.state)?;
        self.sandbox.with(|world| {
            let new = customer("Margaret", "Boston").tags(["customer", "moon, \"Apollo\""]);
            world.add_subscriber(self.customers, new);
            world.fault(Fault::on("/lists?").answer(FaultKind::Never { work_done: false }));
        });
        self.program.run_and_kill("/lists?", 1)?;
        let is_live = self.sandbox.with(|world| world.is_live_refresh_token(&old));
        check(!is_live, "the old refresh token still works")?;
        self.stored_token_works()?;
        text("");
        checked("the old refresh token is invalid, the new one is on disk: no new login is needed");
        self.program.run()?;
        self.each_exported_once(1876)?;
        checked("the next run exports Margaret, who has just subscribed");
        Ok(())
    }

    fn final_check(&self) -> Result<()> {
        heading("6. The result");
        text("Some of the rows, and 7 of the 28 columns:\n");
        let rows = self.each_exported_once(1876)?;
        let cells = |row: &Row| SHOWN.map(|column| row[column].clone()).to_vec();
        let mut lines = vec![SHOWN.map(str::to_owned).to_vec()];
        let named = rows
            .iter()
            .filter(|row| !row["email"].starts_with("reader"));
        lines.extend(named.map(cells));
        lines.push(vec!["…".to_owned(); SHOWN.len()]);
        lines.extend(rows.iter().rev().nth(1).map(cells));
        table(&lines);
        self.stored_token_works()?;
        text("");
        let runs = self.program.runs.get();
        checked(&format!(
            "1,876 subscriptions, {runs} runs, two of them killed: no row lost, none duplicated"
        ));
        checked("the refresh token on disk is valid, and no output contained a secret");
        text("");
        Ok(())
    }

    fn exports(&self) -> PathBuf {
        self.state.join("exports")
    }

    fn each_exported_once(&self, expected: usize) -> Result<Vec<Row>> {
        checks::each_exported_once(&self.exports(), self.sandbox, expected)
    }

    fn stored_token_works(&self) -> Result<()> {
        checks::stored_token_works(self.state, self.sandbox)
    }
}
