//! The paths of the API: the endpoint of a request, the scope that it needs, the query parameters that it documents.

use crate::answer::{Answer, bad_request, unknown_path};
use crate::find::is_filter;
use crate::request::Request;

/// An endpoint, with the ids in its path. All but the first are below an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Accounts,
    Account,
    FindSubscribers,
    Lists,
    FindLists,
    List(u64),
    CustomFields(u64),
    Tags(u64),
    Subscribers(u64),
    FindInList(u64),
    Subscriber(u64, u64),
    /// A collection that a list or the account links to, with the scope that it needs.
    Linked(&'static str),
}

/// The parsed target of a request.
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    /// The account in the path.
    pub(crate) account: Option<u64>,
    operation: Option<String>,
}

impl Route {
    /// Parses path and `ws.op`. An unknown path answers 401. An unknown `ws.op` is kept for `check_query`, because the
    /// scope is checked first.
    pub(crate) fn parse(request: &Request) -> Result<Route, Answer> {
        let path = request.path.strip_suffix('/').unwrap_or(&request.path);
        let rest = path.strip_prefix("/1.0/").ok_or_else(unknown_path)?;
        let segments: Vec<&str> = rest.split('/').collect();
        let id = |text: &str| text.parse::<u64>().map_err(|_| unknown_path());
        let plain = match segments.as_slice() {
            ["accounts"] => Endpoint::Accounts,
            ["accounts", _] => Endpoint::Account,
            ["accounts", _, "lists"] => Endpoint::Lists,
            ["accounts", _, "lists", list] => Endpoint::List(id(list)?),
            ["accounts", _, "lists", list, "custom_fields"] => Endpoint::CustomFields(id(list)?),
            ["accounts", _, "lists", list, "tags"] => Endpoint::Tags(id(list)?),
            ["accounts", _, "lists", list, "subscribers"] => Endpoint::Subscribers(id(list)?),
            ["accounts", _, "lists", list, "subscribers", subscriber] => {
                Endpoint::Subscriber(id(list)?, id(subscriber)?)
            }
            ["accounts", _, "integrations"] => Endpoint::Linked("account.read"),
            ["accounts", _, "lists", list, linked] => {
                id(list)?;
                Endpoint::Linked(linked_scope(linked).ok_or_else(unknown_path)?)
            }
            _ => return Err(unknown_path()),
        };
        let account = segments.get(1).map(|text| id(text)).transpose()?;
        let (endpoint, operation) = match (plain, request.param("ws.op")) {
            (Endpoint::Account, Some("findSubscribers")) => (Endpoint::FindSubscribers, None),
            (Endpoint::Lists, Some("find")) => (Endpoint::FindLists, None),
            (Endpoint::Subscribers(list), Some("find")) => (Endpoint::FindInList(list), None),
            (plain, operation) => (plain, operation.map(str::to_owned)),
        };
        Ok(Route {
            endpoint,
            account,
            operation,
        })
    }

    /// The scope that a token needs.
    pub(crate) fn scope(&self) -> &'static str {
        match self.endpoint {
            Endpoint::Accounts | Endpoint::Account => "account.read",
            Endpoint::Lists
            | Endpoint::FindLists
            | Endpoint::List(_)
            | Endpoint::CustomFields(_)
            | Endpoint::Tags(_) => "list.read",
            Endpoint::FindSubscribers
            | Endpoint::Subscribers(_)
            | Endpoint::FindInList(_)
            | Endpoint::Subscriber(..) => "subscriber.read",
            Endpoint::Linked(scope) => scope,
        }
    }

    /// Rejects an unknown operation and, if strict, an undocumented parameter.
    pub(crate) fn check_query(&self, request: &Request, strict: bool) -> Result<(), Answer> {
        if let Some(name) = &self.operation {
            return Err(bad_request(&format!("No such operation: {name}")));
        }
        let unknown = request.params.iter().find(|(key, _)| !self.takes(key));
        match unknown {
            Some((key, _)) if strict => Err(bad_request(&format!("Unknown parameter: {key}"))),
            _ => Ok(()),
        }
    }

    fn takes(&self, key: &str) -> bool {
        match (self.endpoint, key) {
            (_, "access_token") => true,
            (Endpoint::Account | Endpoint::List(_) | Endpoint::Tags(_), _) => false,
            (Endpoint::Subscriber(..), _) => false,
            (Endpoint::Linked(_), _) => true,
            (_, "ws.start" | "ws.size") => true,
            (Endpoint::Subscribers(_), "sort_order") => true,
            (Endpoint::FindLists, "ws.op" | "ws.show" | "name") => true,
            (Endpoint::FindInList(_), "sort_key" | "sort_order") => true,
            (Endpoint::FindInList(_) | Endpoint::FindSubscribers, "ws.op" | "ws.show") => true,
            (Endpoint::FindInList(_) | Endpoint::FindSubscribers, key) => is_filter(key),
            _ => false,
        }
    }
}

/// The scope of a collection that a list links to.
fn linked_scope(name: &str) -> Option<&'static str> {
    Some(match name {
        "campaigns" | "broadcasts" => "email.read",
        "landing_pages" => "landing-page.read",
        "segments" | "web_forms" | "web_form_split_tests" => "list.read",
        _ => return None,
    })
}
