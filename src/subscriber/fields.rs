//! The fields of a subscriber that have a column each. Adding a column is adding one line to [`FIELDS`].

/// One field of the API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// The key in the API, which is also the name of the column.
    pub(crate) name: &'static str,
    /// How its value becomes a cell.
    pub(crate) kind: Kind,
}

/// How a value becomes a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As text; numbers keep their digits.
    Text,
    /// A timestamp, converted to UTC if it has an offset.
    Time,
    /// An array of strings, as one CSV record.
    Tags,
    /// A JSON object, without white space between its tokens.
    Object,
}

/// All fields, in the order of the columns.
pub(crate) const FIELDS: &[Field] = &[
    text("id"),
    text("email"),
    text("name"),
    text("status"),
    time("subscribed_at"),
    time("verified_at"),
    text("is_verified"),
    text("subscription_method"),
    text("subscription_url"),
    text("ad_tracking"),
    text("ip_address"),
    text("country"),
    text("region"),
    text("city"),
    text("postal_code"),
    text("area_code"),
    text("dma_code"),
    text("latitude"),
    text("longitude"),
    tags("tags"),
    object("custom_fields"),
    text("misc_notes"),
    text("last_followup_message_number_sent"),
    time("last_followup_sent_at"),
    time("unsubscribed_at"),
    text("unsubscribe_method"),
];

/// The index of `id` in [`FIELDS`]. Indexes are constants because they are needed once per row.
pub(super) const ID: usize = 0;
/// The index of `email`.
pub(crate) const EMAIL: usize = 1;
/// The index of `status`.
pub(super) const STATUS: usize = 3;
/// The index of `subscribed_at`.
pub(super) const SUBSCRIBED_AT: usize = 4;
/// The index of `custom_fields`.
pub(super) const CUSTOM_FIELDS: usize = 20;
/// The index of `unsubscribed_at`.
pub(super) const UNSUBSCRIBED_AT: usize = 24;

const fn text(name: &'static str) -> Field {
    let kind = Kind::Text;
    Field { name, kind }
}

const fn time(name: &'static str) -> Field {
    let kind = Kind::Time;
    Field { name, kind }
}

const fn tags(name: &'static str) -> Field {
    let kind = Kind::Tags;
    Field { name, kind }
}

const fn object(name: &'static str) -> Field {
    let kind = Kind::Object;
    Field { name, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_constants_match_the_table() {
        for (index, name) in [
            (ID, "id"),
            (EMAIL, "email"),
            (STATUS, "status"),
            (SUBSCRIBED_AT, "subscribed_at"),
            (CUSTOM_FIELDS, "custom_fields"),
            (UNSUBSCRIBED_AT, "unsubscribed_at"),
        ] {
            assert_eq!(FIELDS[index].name, name);
        }
    }
}
