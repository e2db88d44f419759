//! Pages of collections: `ws.start`, `ws.size`, `ws.show`, entries and links.

use url::form_urlencoded;

use crate::answer::{Answer, bad_window};
use crate::fields::{ObjectWriter, Overrides};
use crate::record::value_of;
use crate::request::Request;
use crate::settings::{LargerPage, Settings, TotalSize};

/// The requested part of a collection.
pub(crate) struct Window {
    start: usize,
    size: usize,
    show_total: bool,
}

impl Window {
    /// Parses the `ws.*` parameters. As at AWeber, a value out of range is an error.
    pub(crate) fn parse(request: &Request, settings: &Settings) -> Result<Window, Answer> {
        let largest = settings.largest_page as i64;
        let start = number(request, "ws.start", 0)?;
        let mut size = number(request, "ws.size", largest)?;
        if start < 0 {
            return Err(bad_window("Minimum for \"ws.start\" parameter is 0."));
        }
        if size > largest && !request.any_page_size {
            match settings.larger_page {
                LargerPage::Rejected => {
                    return Err(bad_window(&format!(
                        "Maximum for \"ws.size\" parameter is {largest}."
                    )));
                }
                LargerPage::Cut => size = largest,
                LargerPage::Sent => {}
            }
        }
        if size < 1 {
            return Err(bad_window("Minimum for \"ws.size\" parameter is 1."));
        }
        let show_total = match request.param("ws.show") {
            None => false,
            Some("total_size") => true,
            Some(_) => return Err(bad_window("\"ws.show\" parameter must be total_size.")),
        };
        Ok(Window {
            start: start as usize,
            size: size as usize,
            show_total,
        })
    }

    pub(crate) fn positions(&self, total: usize) -> std::ops::Range<usize> {
        let end = self.start.saturating_add(self.size).min(total);
        self.start.min(end)..end
    }
}

fn number(request: &Request, key: &str, default: i64) -> Result<i64, Answer> {
    match value_of(&request.params, key) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| bad_window(&format!("\"{key}\" parameter must be an integer."))),
    }
}

/// The kind of a collection.
pub(crate) struct Kind {
    /// As in `#subscribers-page-resource`.
    pub(crate) resource: &'static str,
    /// Pages of a find carry a link to `total_size` instead of the number.
    pub(crate) is_find: bool,
    pub(crate) has_self_link: bool,
    pub(crate) has_next_and_prev_links: bool,
}

/// Renders a page; `entry` renders the item at a position.
#[allow(clippy::too_many_arguments, reason = "the parts of one page")]
pub(crate) fn page(
    request: &Request,
    settings: &Settings,
    origin: &str,
    kind: &Kind,
    total: usize,
    mut entry: impl FnMut(usize) -> Vec<u8>,
) -> Result<Answer, Answer> {
    let window = Window::parse(request, settings)?;
    let counted = if kind.has_self_link {
        // The collections of subscribers.
        total.saturating_add_signed(settings.count_error as isize)
    } else {
        total
    };
    if window.show_total {
        let body = if settings.show_total_as_object {
            format!("{{\"total_size\":{counted}}}")
        } else {
            counted.to_string()
        };
        return Ok(Answer::json(200, body));
    }
    let positions = window.positions(total);
    let end = positions.end.max(window.start);
    let entries: Vec<Vec<u8>> = positions.map(&mut entry).collect();
    let entries = String::from_utf8_lossy(&entries.join(&b","[..])).into_owned();

    let link_at = |start: usize| {
        link(
            request,
            origin,
            &[
                ("ws.start", &start.to_string()),
                ("ws.size", &window.size.to_string()),
            ],
        )
    };
    let next = (end < total && !settings.omit_next_links).then(|| link_at(end));
    let prev = (window.start > 0).then(|| link_at(window.start.saturating_sub(window.size)));

    let overrides = Overrides::default();
    let mut object = ObjectWriter::new(&overrides);
    object.raw("entries", &format!("[{entries}]"));
    object.number("start", window.start as u64);
    if kind.is_find {
        object.text(
            "total_size_link",
            &link(request, origin, &[("ws.show", "total_size")]),
        );
    } else {
        match settings.total_size {
            TotalSize::Number => object.number("total_size", counted as u64),
            TotalSize::Text => object.text("total_size", &counted.to_string()),
            TotalSize::Absent => {}
        }
    }
    for (key, link) in [
        ("next_collection_link", next),
        ("prev_collection_link", prev),
    ] {
        let link = link.filter(|_| kind.has_next_and_prev_links);
        if link.is_some() || settings.null_links {
            object.optional(key, link.as_deref());
        }
    }
    if kind.has_self_link {
        object.text("self_link", &format!("{origin}{}", request.path));
    }
    object.text(
        "resource_type_link",
        &format!(
            "https://api.aweber.com/1.0/#{}-page-resource",
            kind.resource
        ),
    );
    Ok(Answer::json(200, object.finish()))
}

/// The request's own URL with other `ws.*` parameters.
fn link(request: &Request, origin: &str, window: &[(&str, &str)]) -> String {
    let kept = request.params.iter().filter(|(key, _)| {
        !matches!(
            key.as_str(),
            "ws.start" | "ws.size" | "ws.show" | "access_token"
        )
    });
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .extend_pairs(window)
        .finish();
    format!("{origin}{}?{query}", request.path)
}
