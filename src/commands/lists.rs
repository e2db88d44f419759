//! `aweber-sync lists`: shows the account's lists.

use super::print;
use crate::config;
use crate::connect::connect;
use crate::error::Result;
use crate::lists::{List, fetch_lists};
use crate::printable::{escaped, printable};
use serde_json::{Value, json};

/// Prints the lists as a table or as JSON.
pub(crate) async fn lists(config: config::Lists) -> Result<()> {
    let mut connected = connect(&config.base).await?;
    let lists = fetch_lists(&mut connected.session, &connected.account, false).await?;
    let text = if config.json {
        escaped(&format!("{:#}\n", to_json(&connected.account, &lists)))
    } else {
        table(&lists)
    };
    // The locks are released first: a reader that does not read must not keep a run waiting.
    let finished = connected.finish();
    print(&text)?;
    finished
}

fn to_json(account: &str, lists: &[List]) -> Value {
    let lists: Vec<Value> = lists
        .iter()
        .map(|list| {
            json!({
                "id": list.this.id,
                "name": list.this.name,
                "unique_list_id": list.unique_list_id,
                "subscribed": list.subscribed,
                "unconfirmed": list.unconfirmed,
                "unsubscribed": list.unsubscribed,
            })
        })
        .collect();
    json!({ "version": 1, "account_id": account, "lists": lists })
}

/// Aligns the columns, numbers to the right.
fn table(lists: &[List]) -> String {
    let header = [
        "ID",
        "UNIQUE ID",
        "SUBSCRIBED",
        "UNCONFIRMED",
        "UNSUBSCRIBED",
        "NAME",
    ]
    .map(str::to_owned);
    let rows = lists.iter().map(|list| {
        [
            list.this.id.to_string(),
            printable(&list.unique_list_id, usize::MAX),
            list.subscribed.to_string(),
            list.unconfirmed.to_string(),
            list.unsubscribed.to_string(),
            // A line break would begin a row of its own.
            printable(&list.this.name, usize::MAX),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let lines = rows.iter().map(|row| {
        let [id, unique, subscribed, unconfirmed, unsubscribed, name] = row;
        let [a, b, c, d, e, _] = widths;
        format!("{id:>a$}  {unique:<b$}  {subscribed:>c$}  {unconfirmed:>d$}  {unsubscribed:>e$}  {name}\n")
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ListRef;

    #[test]
    fn columns_are_aligned_and_control_characters_replaced() {
        let lists =
            [(7, "News", 12), (1234567, "Offers\tand more", 3)].map(|(id, name, subscribed)| {
                List {
                    this: ListRef {
                        id,
                        name: name.into(),
                    },
                    unique_list_id: format!("awlist{id}"),
                    subscribed,
                    unconfirmed: 0,
                    unsubscribed: 10,
                }
            });
        assert_eq!(
            table(&lists),
            "     ID  UNIQUE ID      SUBSCRIBED  UNCONFIRMED  UNSUBSCRIBED  NAME\n      \
             7  awlist7                12            0            10  News\n\
             1234567  awlist1234567           3            0            10  Offers and more\n"
        );
    }
}
