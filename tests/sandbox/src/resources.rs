//! The resources of the API: accounts, lists, custom fields, tags and subscribers, as pages or single items.

use crate::account;
use crate::answer::{Answer, bad_request, envelope_a, no_list};
use crate::collection::{Kind, page};
use crate::find::{Filter, SortKey, is_descending, sort_key};
use crate::list::List;
use crate::request::Request;
use crate::subscriber::{View, string_array};
use crate::world::World;

const ACCOUNTS: Kind = Kind {
    resource: "accounts",
    is_find: false,
    has_self_link: false,
    has_next_and_prev_links: true,
};
const LISTS: Kind = Kind {
    resource: "lists",
    ..ACCOUNTS
};
const CUSTOM_FIELDS: Kind = Kind {
    resource: "custom_fields",
    ..ACCOUNTS
};
const SUBSCRIBERS: Kind = Kind {
    resource: "subscribers",
    has_self_link: true,
    ..ACCOUNTS
};
const FOUND_SUBSCRIBERS: Kind = Kind {
    is_find: true,
    ..SUBSCRIBERS
};

pub(crate) fn accounts(world: &World, request: &Request) -> Result<Answer, Answer> {
    let (origin, base) = (world.link_origin(), accounts_link(world));
    let all: Vec<_> = std::iter::once(&world.account)
        .chain(&world.other_accounts)
        .collect();
    page(
        request,
        &world.settings,
        &origin,
        &ACCOUNTS,
        all.len(),
        |at| account::render(all[at], &base),
    )
}

pub(crate) fn account(world: &World) -> Answer {
    Answer::json(200, account::render(&world.account, &accounts_link(world)))
}

pub(crate) fn lists(world: &World, request: &Request, is_find: bool) -> Result<Answer, Answer> {
    let name = request.param("name").filter(|_| is_find);
    if name.is_some_and(|name| name.chars().count() > 100) {
        return Err(bad_request("name: must have 1 to 100 characters"));
    }
    let is_wanted =
        |list: &&List| name.is_none_or(|name| list.name == name || list.unique_list_id == name);
    let found: Vec<&List> = world.lists().filter(is_wanted).collect();
    let (origin, base, today) = (
        world.link_origin(),
        lists_link(world),
        world.now().date_naive(),
    );
    let kind = Kind {
        is_find,
        has_next_and_prev_links: !is_find || world.settings.find_has_next_link,
        ..LISTS
    };
    page(
        request,
        &world.settings,
        &origin,
        &kind,
        found.len(),
        |at| found[at].render(&base, today),
    )
}

pub(crate) fn list(world: &World, id: u64) -> Result<Answer, Answer> {
    let list = world.list(id).ok_or_else(no_list)?;
    Ok(Answer::json(
        200,
        list.render(&lists_link(world), world.now().date_naive()),
    ))
}

pub(crate) fn custom_fields(world: &World, request: &Request, id: u64) -> Result<Answer, Answer> {
    let fields = &world.list(id).ok_or_else(no_list)?.custom_fields;
    let base = format!("{}/{id}/custom_fields", lists_link(world));
    let origin = world.link_origin();
    page(
        request,
        &world.settings,
        &origin,
        &CUSTOM_FIELDS,
        fields.len(),
        |at| fields[at].render(&base),
    )
}

pub(crate) fn tags(world: &World, id: u64) -> Result<Answer, Answer> {
    let list = world.list(id).ok_or_else(no_list)?;
    Ok(Answer::json(200, string_array(&list.tags())))
}

pub(crate) fn subscriber(world: &mut World, list: u64, id: u64) -> Result<Answer, Answer> {
    let (settings, link) = (
        world.settings.clone(),
        format!("{}/{list}", lists_link(world)),
    );
    let list = world.list_mut(list).ok_or_else(no_list)?;
    let position = list
        .position(id)
        .ok_or_else(|| vanished(settings.vanished_status))?;
    Ok(Answer::json(
        200,
        list.subscribers()[position].render(&link, View::Single, &settings),
    ))
}

/// All subscribers of a list, in the order of addition.
pub(crate) fn subscribers(world: &World, request: &Request, id: u64) -> Result<Answer, Answer> {
    let all = world.list(id).ok_or_else(no_list)?.subscribers();
    let (settings, link) = (&world.settings, format!("{}/{id}", lists_link(world)));
    let descending = is_descending(request, settings)?;
    page(
        request,
        settings,
        &world.link_origin(),
        &SUBSCRIBERS,
        all.len(),
        |at| {
            let at = if descending { all.len() - 1 - at } else { at };
            all[at].render(&link, View::Collection, settings)
        },
    )
}

pub(crate) fn find_in_list(
    world: &mut World,
    request: &Request,
    id: u64,
) -> Result<Answer, Answer> {
    let (settings, origin) = (world.settings.clone(), world.link_origin());
    let link = format!("{}/{id}", lists_link(world));
    let list = world.list_mut(id).ok_or_else(no_list)?;
    let filter = Filter::parse(request, &settings)?;
    let found = list
        .find(
            &filter,
            sort_key(request, &settings)?,
            is_descending(request, &settings)?,
        )
        .to_vec();
    let (all, view) = (
        list.subscribers(),
        View::Find {
            list_name: &list.name,
        },
    );
    page(
        request,
        &settings,
        &origin,
        &FOUND_SUBSCRIBERS,
        found.len(),
        |at| all[found[at] as usize].render(&link, view, &settings),
    )
}

/// The find over all lists, in the order of addition; it has no sort parameters.
pub(crate) fn find_everywhere(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let filter = Filter::parse(request, &world.settings)?;
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
    found.sort_unstable();
    let (settings, origin, base) = (&world.settings, world.link_origin(), lists_link(world));
    page(
        request,
        settings,
        &origin,
        &FOUND_SUBSCRIBERS,
        found.len(),
        |at| {
            let (_, id, position) = found[at];
            let Some(list) = world.list(id) else {
                return b"null".to_vec();
            };
            let view = View::Find {
                list_name: &list.name,
            };
            list.subscribers()[position].render(&format!("{base}/{id}"), view, settings)
        },
    )
}

/// For a subscriber that does not exist.
fn vanished(status: u16) -> Answer {
    let kind = match status {
        401 => "UnauthorizedError",
        410 => "GoneError",
        _ => "NotFoundError",
    };
    envelope_a(status, kind, "Subscriber not found")
}

fn accounts_link(world: &World) -> String {
    format!("{}/1.0/accounts", world.link_origin())
}

fn lists_link(world: &World) -> String {
    format!("{}/{}/lists", accounts_link(world), world.account.id)
}
