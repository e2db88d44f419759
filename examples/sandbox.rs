//! A sandbox AWeber for trying the program by hand: `cargo run --example sandbox` prints what to do next.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints to the terminal"
)]

use std::time::Duration;

use aweber_sandbox::{NewSubscriber, Sandbox, Settings, Status, World};
use clap::Parser;

/// Serves a small account on loopback until Ctrl-C.
#[derive(Parser)]
struct Options {
    /// Port of the API origin; 0 selects a free one
    #[arg(long, value_name = "PORT", default_value_t = 8010)]
    port_api: u16,
    /// Port of the OAuth origin; 0 selects a free one
    #[arg(long, value_name = "PORT", default_value_t = 8011)]
    port_auth: u16,
    /// Number of subscribers on the first list
    #[arg(long, value_name = "COUNT", default_value_t = 42)]
    subscribers: usize,
    /// Delay of each answer
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    latency_ms: u64,
    /// Origin of the links in answers, if the sandbox is behind TLS: https://api.example
    #[arg(long, value_name = "URL")]
    link_origin: Option<String>,
    /// Another redirect URI to accept; can be repeated
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
}

fn main() {
    let options = Options::parse();
    let settings = Settings {
        port_api: options.port_api,
        port_auth: options.port_auth,
        latency: Duration::from_millis(options.latency_ms),
        link_origin: options.link_origin,
        ..Settings::default()
    };
    let sandbox = match Sandbox::try_start(settings) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!(
                "sandbox: cannot listen on port {} or {}: {error}\n\
                 next: cargo run --example sandbox -- --port-api 0 --port-auth 0",
                options.port_api, options.port_auth
            );
            std::process::exit(69);
        }
    };
    sandbox.with(|world| world.accept_redirect_uris(&options.redirect_uri));
    let lists = sandbox.with(|world| add_lists(world, options.subscribers));
    print_guide(&sandbox, &lists);
    loop {
        std::thread::park();
    }
}

/// Adds three lists: a newsletter with unconfirmed sign-ups, customers, and one subscriber for each irregularity that
/// has been seen in AWeber's answers.
fn add_lists(world: &mut World, subscribers: usize) -> [u64; 3] {
    let newsletter = world.add_list("Newsletter");
    let customers = world.add_list("Customers");
    let oddities = world.add_list("Oddities");
    world.add_subscribers(newsletter, subscribers);
    for (name, hours) in [("Ada", 30), ("Grace", 5), ("Linus", 1)] {
        let new = NewSubscriber::new(format!("{}@example.org", name.to_lowercase()))
            .name(name)
            .status(Status::Unconfirmed);
        let at = world.ago(Duration::from_secs(hours * 3600));
        world.add_subscriber(newsletter, new.subscribed_at(at));
    }
    for (number, city) in ["Boston", "Genève", "São Paulo", "Tokyo"]
        .into_iter()
        .enumerate()
    {
        let new = NewSubscriber::new(format!("customer{number}@example.com"))
            .name(format!("Customer {number}"));
        let at = world.ago(Duration::from_secs(86_400 * (9 - number as u64)));
        world.add_subscriber(
            customers,
            new.subscribed_at(at)
                .with("city", city)
                .tags(["customer"])
                .custom("Plan", "yearly"),
        );
    }
    world.add_nasty_subscribers(oddities);
    [newsletter, customers, oddities]
}

fn print_guide(sandbox: &Sandbox, lists: &[u64; 3]) {
    let (api, auth) = (sandbox.api_url(), sandbox.auth_url());
    let secret = sandbox
        .with(|world| world.client("confidential-client").client_secret)
        .unwrap_or_default();
    let [list, ..] = lists;
    println!(
        "sandbox AWeber: API {api}, OAuth {auth}; stop it with Ctrl-C

In another terminal:

  export AWEBER_API_URL={api} AWEBER_AUTH_URL={auth} AWEBER_CLIENT_ID=public-client
  aweber-sync authorize        # open the URL that it prints; the page shows the code to paste
  aweber-sync run

To get the code without a browser:

  curl -s 'AUTHORIZATION-URL' | sed -n 's/.*id=\"code\">\\([^<]*\\)<.*/\\1/p'

To use a confidential client instead of the public one:

  export AWEBER_CLIENT_ID=confidential-client AWEBER_CLIENT_SECRET={secret}

Inspect and change the account while the sandbox runs:

  curl {api}/_sandbox/state
  curl {api}/_sandbox/requests
  curl -d '{{\"name\": \"New list\"}}' {api}/_sandbox/lists
  curl -d '{{\"email\": \"new@example.com\", \"name\": \"New\", \"status\": \"unconfirmed\"}}' {api}/_sandbox/lists/{list}/subscribers
  curl -X POST {api}/_sandbox/lists/{list}/subscribers/ID/confirm     # or unsubscribe, or delete
  curl -X POST {api}/_sandbox/expire                                  # all access tokens expire
  curl -X POST {api}/_sandbox/revoke                                  # the customer revokes the app"
    );
}
