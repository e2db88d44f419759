//! What stands behind the API's paths: accounts, lists, and the people on them, as pages or alone.

use crate::account;
use crate::answer::{Answer, bad_request, envelope_a, no_list};
use crate::collection::{Kind, page};
use crate::find::{Filter, SortKey, is_descending, sort_key};
use crate::request::Request;
use crate::subscriber::{Place, string_array};
use crate::world::World;

const LISTS: Kind = Kind {
    resource: "lists",
    is_find: false,
    has_self_link: false,
    has_links: true,
};
const ACCOUNTS: Kind = Kind {
    resource: "accounts",
    is_find: false,
    has_self_link: false,
    has_links: true,
};
const CUSTOM_FIELDS: Kind = Kind {
    resource: "custom_fields",
    is_find: false,
    has_self_link: false,
    has_links: true,
};
const SUBSCRIBERS: Kind = Kind {
    resource: "subscribers",
    is_find: false,
    has_self_link: true,
    has_links: true,
};
const FOUND_SUBSCRIBERS: Kind = Kind {
    resource: "subscribers",
    is_find: true,
    has_self_link: true,
    has_links: true,
};

pub(crate) fn accounts(world: &World, request: &Request) -> Result<Answer, Answer> {
    let base = format!("{}/1.0/accounts", world.link_origin());
    let all: Vec<_> = std::iter::once(&world.account)
        .chain(&world.other_accounts)
        .collect();
    page(
        request,
        &world.settings,
        &world.link_origin(),
        &ACCOUNTS,
        all.len(),
        |at| account::render(all[at], &base),
    )
}

pub(crate) fn lists(world: &World, request: &Request) -> Result<Answer, Answer> {
    let is_find = request.param("ws.op") == Some("find");
    let name = request.param("name").filter(|_| is_find);
    if name.is_some_and(|name| name.chars().count() > 100) {
        return Err(bad_request("name: must have 1 to 100 characters"));
    }
    let wanted = |list: &&crate::List| {
        name.is_none_or(|name| list.name == name || list.unique_list_id == name)
    };
    let found: Vec<&crate::List> = world.lists().filter(wanted).collect();
    let base = format!("{}{}", world.link_origin(), request.path);
    let today = world.now().date_naive();
    let kind = Kind {
        is_find,
        has_links: !is_find || world.settings.find_has_next_link,
        ..LISTS
    };
    page(
        request,
        &world.settings,
        &world.link_origin(),
        &kind,
        found.len(),
        |at| found[at].render(&base, today),
    )
}

pub(crate) fn in_list(
    world: &mut World,
    request: &Request,
    id: u64,
    rest: &[&str],
) -> Result<Answer, Answer> {
    let origin = world.link_origin();
    let lists = format!("{origin}/1.0/accounts/{}/lists", world.account.id);
    let link = format!("{lists}/{id}");
    let today = world.now().date_naive();
    let settings = world.settings.clone();
    let list = world.list_mut(id).ok_or_else(no_list)?;
    match rest {
        [] => Ok(Answer::json(200, list.render(&lists, today))),
        ["tags"] => Ok(Answer::json(200, string_array(&list.tags()))),
        ["custom_fields"] => {
            let base = format!("{link}/custom_fields");
            let fields = &list.custom_fields;
            page(
                request,
                &settings,
                &origin,
                &CUSTOM_FIELDS,
                fields.len(),
                |at| fields[at].render(&base),
            )
        }
        ["subscribers", subscriber] => {
            let position = subscriber.parse().ok().and_then(|id| list.position(id));
            let found = position.map(|at| &list.subscribers()[at]);
            let found = found.ok_or_else(|| {
                envelope_a(404, "NotFoundError", "Object: Subscriber, name: not found")
            })?;
            Ok(Answer::json(
                200,
                found.render(&link, Place::Single, &settings),
            ))
        }
        _ if request.param("ws.op").is_some() => {
            let filter = Filter::parse(request, &settings)?;
            let found = list
                .find(&filter, sort_key(request)?, is_descending(request)?)
                .to_vec();
            let (all, place) = (
                list.subscribers(),
                Place::Find {
                    list_name: &list.name,
                },
            );
            page(
                request,
                &settings,
                &origin,
                &FOUND_SUBSCRIBERS,
                found.len(),
                |at| all[found[at] as usize].render(&link, place, &settings),
            )
        }
        _ => {
            let descending = is_descending(request)?;
            let all = list.subscribers();
            page(request, &settings, &origin, &SUBSCRIBERS, all.len(), |at| {
                let at = if descending { all.len() - 1 - at } else { at };
                all[at].render(&link, Place::Collection, &settings)
            })
        }
    }
}

/// Over all lists, oldest first; no sort can be asked for.
pub(crate) fn find_everywhere(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let origin = world.link_origin();
    let settings = world.settings.clone();
    let filter = Filter::parse(request, &settings)?;
    let base = format!("{origin}/1.0/accounts/{}/lists", world.account.id);
    let ids: Vec<u64> = world.lists().map(|list| list.id).collect();
    let mut found = Vec::new();
    for id in ids {
        let Some(list) = world.list_mut(id) else {
            continue;
        };
        let positions = list.find(&filter, SortKey::Added, false).to_vec();
        let all = list.subscribers();
        found.extend(
            positions
                .into_iter()
                .map(|at| (all[at as usize].added, id, at as usize)),
        );
    }
    found.sort();
    page(
        request,
        &settings,
        &origin,
        &FOUND_SUBSCRIBERS,
        found.len(),
        |at| {
            let (_, id, position) = found[at];
            let Some(list) = world.list(id) else {
                return Vec::new();
            };
            let place = Place::Find {
                list_name: &list.name,
            };
            list.subscribers()[position].render(&format!("{base}/{id}"), place, &settings)
        },
    )
}
