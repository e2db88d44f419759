//! The story itself, a chapter a function.

use crate::books::{self, Row};
use crate::program::{Program, code_on_page};
use crate::teller::{chapter, claim, command, output, table, text};
use crate::{Result, check};
use aweber_sandbox::{Fault, FaultKind, NewSubscriber, Sandbox, Settings, Status, World};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Which request for the big list is not answered any more (the first asks for the unconfirmed, then come the pages).
const HELD: u32 = 14;

/// Which one is answered late, and by how much: long enough for the checkpoint that comes once a second.
const LATE: u32 = 11;
const PAUSE: Duration = Duration::from_millis(1_100);

/// Some of the columns.
const SHOWN: [&str; 7] = [
    "list_name",
    "id",
    "email",
    "name",
    "subscribed_at",
    "city",
    "tags",
];

struct Story<'a> {
    sandbox: &'a Sandbox,
    program: Program<'a>,
    state: &'a Path,
    newsletter: u64,
    customers: u64,
    ada: u64,
}

/// Tells it; everything is kept in `state`.
pub(crate) fn tell(binary: PathBuf, state: &Path) -> Result<()> {
    let sandbox = Sandbox::try_start(Settings::default())?;
    let [newsletter, customers, ada] = sandbox.with(first_day);
    let story = Story {
        program: Program::new(binary, &sandbox, state),
        sandbox: &sandbox,
        state,
        newsletter,
        customers,
        ada,
    };
    story.connect()?;
    story.first_export()?;
    story.twenty_days_later()?;
    story.killed_in_the_middle()?;
    story.killed_after_the_rotation()?;
    story.the_books()
}

/// Two lists: 240 readers and one who has not confirmed yet, and four customers.
fn first_day(world: &mut World) -> [u64; 3] {
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

impl Story<'_> {
    fn connect(&self) -> Result<()> {
        chapter("1. Connect an account");
        text(
            "A sandbox AWeber runs inside this demo, on loopback: a real HTTP server that behaves as\n\
             AWeber does. Only its addresses are special; of AWeber itself you would say the client id.",
        );
        self.program.show_environment();
        self.program.authorize(|url| {
            let code = code_on_page(url)?;
            text("  (The demo opens that page as your browser would, and pastes the code on it:)");
            output(&format!("{code}\n\n"));
            Ok(code)
        })?;
        self.token_is_alive()?;
        claim("the tokens are stored, and AWeber accepts them");
        Ok(())
    }

    fn first_export(&self) -> Result<()> {
        chapter("2. The first run exports everybody");
        text(
            "Newsletter has 240 readers, Customers four. Ada signed up too, but has not clicked the link\n\
             in her confirmation mail.",
        );
        self.program.run()?;
        self.all_are_there_once(244)?;
        claim("244 subscribers, each once; Ada is not among them");
        text("\nA second run finds nothing to do. It makes no file:");
        let said = self.program.run()?;
        check(said.contains("nothing new"), "it did find something new")?;
        check(books::names(&self.exports())?.len() == 1, "it made a file")
    }

    fn twenty_days_later(&self) -> Result<()> {
        chapter("3. Twenty days later, a list that changes while it is read");
        let newsletter = self.newsletter;
        let easy_to_miss: Vec<String> = self.sandbox.with(|world| {
            world.set_now(world.now() + 20 * DAY);
            let pages = format!("/lists/{newsletter}/subscribers?");
            world.add_subscribers(newsletter, 230);
            world.confirm(newsletter, self.ada);
            let readers = world.subscribers(newsletter).filter(|s| s.id != self.ada);
            let readers: Vec<(u64, String)> = readers.map(|s| (s.id, s.email.clone())).collect();
            let gone: Vec<u64> = readers[..3].iter().map(|(id, _)| *id).collect();
            // Three rows fewer before the fourth page: what was to come first on it stands on the third page now.
            world.before(&pages, 4, move |world| {
                gone.iter().for_each(|id| world.delete(newsletter, *id));
            });
            readers[300..303]
                .iter()
                .map(|(_, email)| email.clone())
                .collect()
        });
        text(
            "230 more people read the newsletter, and Ada has found her confirmation mail at last. While\n\
             the run pages through the list, three people are deleted from its beginning, and everybody\n\
             behind them moves up. Whoever trusts page numbers would now miss three others:",
        );
        text(&format!("{}.", easy_to_miss.join(", ")));
        self.program.run()?;
        let here = books::addresses(&self.all_are_there_once(475)?);
        let left = self
            .sandbox
            .with(|world| world.subscribers(newsletter).count());
        check(left == 468, "nobody was deleted: this proves nothing")?;
        let found = easy_to_miss.iter().all(|address| here.contains(address));
        check(found, format!("not all of {easy_to_miss:?} were exported"))?;
        claim("exactly the 230 new ones and Ada; those who were easy to miss are there");
        Ok(())
    }

    fn killed_in_the_middle(&self) -> Result<()> {
        chapter("4. The power fails in the middle of an export");
        let pages = self.sandbox.with(|world| {
            let list = world.add_list("Webinar");
            world.add_subscribers(list, 1400);
            let pages = format!("/lists/{list}/subscribers?");
            let late = Fault::on(&pages).skip(LATE - 1);
            world.fault(late.answer(FaultKind::DelayBefore(PAUSE)));
            let held = Fault::on(&pages).skip(HELD - 1);
            world.fault(held.answer(FaultKind::Never { work_done: false }));
            pages
        });
        text(
            "A new list arrives with 1,400 people: 15 pages. At the 13th the run is killed, by the signal\n\
             that no program can catch:",
        );
        self.program.run_and_kill(&pages, HELD)?;
        command(&format!("ls -A {}", self.exports().display()));
        output(&books::names(&self.exports())?.join("\n"));
        text(
            "\nThe rows so far wait in the hidden file, and the ledger knows how many of them count. The next\n\
             run publishes them before it asks AWeber for anything, then goes on from there:",
        );
        let asked = self.sandbox.with(|world| world.count(&pages));
        self.program.run()?;
        self.all_are_there_once(1875)?;
        let again = self.sandbox.with(|world| world.count(&pages)) - asked;
        check(again < asked, "the second run began the list anew")?;
        claim(&format!(
            "1,400 more, each once; {asked} requests for that list before the kill, {again} after it"
        ));
        Ok(())
    }

    fn killed_after_the_rotation(&self) -> Result<()> {
        chapter("5. The power fails at the worst moment for the token");
        text(
            "AWeber hands out a new refresh token with each refresh, and the old one is dead at once. So\n\
             the next kill comes as soon as AWeber has rotated the token, before the run's first question:",
        );
        let old = books::refresh_token(self.state)?;
        self.sandbox.with(|world| {
            let new = customer("Margaret", "Boston").tags(["customer", "moon, \"Apollo\""]);
            world.add_subscriber(self.customers, new);
            world.fault(Fault::on("/lists?").answer(FaultKind::Never { work_done: false }));
        });
        self.program.run_and_kill("/lists?", 1)?;
        let alive = self.sandbox.with(|world| world.is_live_refresh_token(&old));
        check(!alive, "the old token lives: the kill proves nothing")?;
        self.token_is_alive()?;
        text("");
        claim("the old token is dead, and the new one is on disk: nobody has to log in again");
        self.program.run()?;
        self.all_are_there_once(1876)?;
        claim("Margaret, who subscribed meanwhile, is there");
        Ok(())
    }

    fn the_books(&self) -> Result<()> {
        chapter("6. The books");
        text("Some of the rows, and 7 of the 28 columns:\n");
        let rows = self.all_are_there_once(1876)?;
        let cells = |row: &Row| SHOWN.map(|column| row[column].clone()).to_vec();
        let mut lines = vec![SHOWN.map(str::to_owned).to_vec()];
        let by_name = rows
            .iter()
            .filter(|row| !row["email"].starts_with("reader"));
        lines.extend(by_name.map(cells));
        lines.push(vec!["…".to_owned(); SHOWN.len()]);
        lines.extend(rows.iter().rev().nth(1).map(cells));
        table(&lines);
        self.token_is_alive()?;
        text("");
        let runs = self.program.runs.get();
        claim(&format!(
            "1,876 subscriptions, {runs} runs, two of them killed: no row lost, none doubled"
        ));
        claim("the refresh token on disk is alive, and no output showed a secret");
        text("");
        Ok(())
    }

    fn exports(&self) -> PathBuf {
        self.state.join("exports")
    }

    /// So many rows, nobody twice, and everybody among them who is subscribed now (those deleted meanwhile were
    /// exported before).
    fn all_are_there_once(&self, expected: usize) -> Result<Vec<Row>> {
        let rows = books::rows(&self.exports())?;
        let mut here = books::addresses(&rows);
        here.dedup();
        let doubled = rows.len() - here.len();
        check(doubled == 0, format!("{doubled} rows are doubled"))?;
        let mut missing = books::subscribed(self.sandbox);
        missing.retain(|address| here.binary_search(address).is_err());
        let some = &missing[..missing.len().min(5)];
        let wrong = format!("{} are missing, among them {some:?}", missing.len());
        check(missing.is_empty(), wrong)?;
        let wrong = format!("{} rows instead of {expected}", rows.len());
        check(rows.len() == expected, wrong)?;
        Ok(rows)
    }

    fn token_is_alive(&self) -> Result<()> {
        let token = books::refresh_token(self.state)?;
        let alive = self
            .sandbox
            .with(|world| world.is_live_refresh_token(&token));
        check(alive, "AWeber no longer accepts the refresh token on disk")
    }
}
