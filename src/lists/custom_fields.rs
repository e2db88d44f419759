//! Fetching the names of the custom fields of lists.

use super::fetch::account_path;
use crate::api::session::{Found, Session};
use crate::error::Result;
use crate::pages::collection::{Page, Query};
use serde::Deserialize;

/// A list has at most 25 custom fields (AWeber API, section 3): more pages than this are a mistake.
const PAGES: usize = 10;

#[derive(Deserialize)]
struct CustomField {
    name: Option<String>,
}

/// Returns the names of the custom fields of these lists, each once: list by list, in AWeber's order. A list that is
/// deleted by now has none, and a field without a name is left out.
pub(crate) async fn fetch_custom_fields(
    session: &mut Session,
    account: &str,
    lists: &[i64],
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for list in lists {
        let path = format!("{}/lists/{list}/custom_fields", account_path(account));
        for name in fetch_of_list(session, Query::all(path)).await? {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

async fn fetch_of_list(session: &mut Session, query: Query) -> Result<Vec<String>> {
    let origin = session.origin().clone();
    let mut names = Vec::new();
    let mut offset = 0;
    for _ in 0..PAGES {
        let read = |body| Page::parse(body, &query, &origin);
        let Found::There(page) = session.get(&query.page(offset), read).await? else {
            break;
        };
        let fields = page
            .subscribers()
            .filter_map(|field| serde_json::from_str::<CustomField>(field.json()).ok());
        names.extend(fields.filter_map(|field| field.name));
        offset += page.len() as u64;
        if !page.has_next || page.len() == 0 {
            break;
        }
    }
    Ok(names)
}
