//! Choosing lists by id, unique_list_id or name. Pure.

use super::list::List;
use crate::error::{Error, Result};
use crate::record;
use crate::typed::quoted;

/// How many lists an error message names.
const NAMED: usize = 20;

/// Returns the wanted lists, or all if `wanted` is empty, without the excluded ones.
///
/// Errors: 78 for a name that is unknown or ambiguous.
pub(crate) fn select(all: Vec<List>, wanted: &[String], excluded: &[String]) -> Result<Vec<List>> {
    let chosen = ids("--list", &all, wanted)?;
    let unwanted = ids("--exclude-list", &all, excluded)?;
    Ok(all
        .into_iter()
        .filter(|list| chosen.is_empty() || chosen.contains(&list.this.id))
        .filter(|list| !unwanted.contains(&list.this.id))
        .collect())
}

fn ids(option: &str, all: &[List], names: &[String]) -> Result<Vec<i64>> {
    names
        .iter()
        .map(|name| id_of(option, all, name.trim()))
        .collect()
}

fn id_of(option: &str, all: &[List], name: &str) -> Result<i64> {
    if name.is_empty() {
        return Err(not_one(
            format!("{option} is empty"),
            &all.iter().collect::<Vec<_>>(),
        ));
    }
    let names: [fn(&List) -> String; 3] = [
        |list| list.this.id.to_string(),
        |list| list.unique_list_id.clone(),
        |list| list.this.name.clone(),
    ];
    let matching = names
        .map(|name_of| -> Vec<&List> { all.iter().filter(|list| name_of(list) == name).collect() });
    let found = matching.into_iter().find(|found| !found.is_empty());
    match found.as_deref() {
        Some([list]) => Ok(list.this.id),
        Some(several) => Err(not_one(
            format!("ambiguous {option} {name:?}: {} lists match", several.len()),
            several,
        )),
        None if name.contains(',') => {
            let what = format!("unknown {option} {name:?}: no list has a name with that comma");
            let each: Vec<String> = record::split(name)
                .iter()
                .map(|name| format!("{option} {}", quoted(name)))
                .collect();
            Err(Error::config(what)
                .safe("nothing was exported")
                .next(format!(
                    "repeat the option for several lists: {}",
                    each.join(" ")
                )))
        }
        None => Err(not_one(
            format!("unknown {option} {name:?}: the account has no such list"),
            &all.iter().collect::<Vec<_>>(),
        )),
    }
}

fn not_one(what: String, lists: &[&List]) -> Error {
    let mut names: Vec<String> = lists
        .iter()
        .take(NAMED)
        .map(|list| format!("{} ({})", list.this.id, list.this.shown()))
        .collect();
    if lists.len() > NAMED {
        names.push("…".to_owned());
    }
    Error::config(what)
        .safe("nothing was exported")
        .next(format!("use the id of one of: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::rows::ListRef;

    fn account() -> Vec<List> {
        [
            (1, "News", "awlist1"),
            (2, "Offers", "awlist2"),
            (3, "News", "7"),
            (7, "2", "awlist7"),
        ]
        .into_iter()
        .map(|(id, name, unique)| List {
            this: ListRef {
                id,
                name: name.into(),
            },
            unique_list_id: unique.into(),
            subscribed: 0,
            unconfirmed: 0,
            unsubscribed: 0,
        })
        .collect()
    }

    fn chosen(wanted: &[&str], excluded: &[&str]) -> Result<Vec<i64>> {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let lists = select(account(), &owned(wanted), &owned(excluded))?;
        Ok(lists.into_iter().map(|list| list.this.id).collect())
    }

    #[test]
    fn an_id_takes_precedence_over_a_unique_list_id_over_a_name() {
        for (wanted, ids) in [
            ("2", vec![2]),
            ("7", vec![7]),
            ("awlist7", vec![7]),
            ("Offers", vec![2]),
            (" 1 ", vec![1]),
        ] {
            assert_eq!(chosen(&[wanted], &[]).unwrap(), ids, "{wanted}");
        }
        assert_eq!(chosen(&[], &[]).unwrap(), [1, 2, 3, 7]);
        assert_eq!(chosen(&[], &["Offers", "7"]).unwrap(), [1, 3]);
        assert_eq!(chosen(&["1", "2"], &["2"]).unwrap(), [1]);
    }

    #[test]
    fn unknown_and_ambiguous_names_are_configuration_errors() {
        for (wanted, excluded) in [
            ("news", ""),
            ("News", ""),
            ("99", ""),
            ("1", "News"),
            ("1", "x"),
        ] {
            let excluded: &[&str] = if excluded.is_empty() {
                &[]
            } else {
                &[excluded]
            };
            let error = chosen(&[wanted], excluded).unwrap_err();
            assert_eq!(error.kind(), Kind::Config, "{wanted}");
            assert!(error.to_string().contains("1 (News)"), "{error}");
        }
    }
}
