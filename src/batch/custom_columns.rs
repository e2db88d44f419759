//! The custom fields of the new rows of a run beside the columns: columns that stay empty, and fields without a column.

use crate::export::Layout;
use crate::rows::Column;
use crate::subscriber::Subscriber;
use std::collections::BTreeSet;

/// See the module.
#[derive(Debug)]
pub(super) struct CustomColumns {
    /// Each custom field of the lists is to have a column.
    each_has_column: bool,
    /// Custom fields that have a column and that no new row has had yet.
    unseen: Vec<String>,
    without_column: BTreeSet<String>,
}

impl CustomColumns {
    /// Those of this layout, before the first row.
    pub(super) fn new(layout: &Layout, dry_run: bool) -> CustomColumns {
        let custom = layout.columns().iter().filter_map(custom_name);
        CustomColumns {
            each_has_column: layout.is_undecided() && !dry_run,
            unseen: custom.map(str::to_owned).collect(),
            without_column: BTreeSet::new(),
        }
    }

    /// Notes the custom fields of new rows that are written with these columns.
    pub(super) fn note(&mut self, new: &[Subscriber<'_>], columns: &[Column]) {
        for subscriber in new {
            if self.unseen.is_empty() && !self.each_has_column {
                break;
            }
            let fields = subscriber.custom_fields();
            self.unseen
                .retain(|name| fields.iter().all(|(field, _)| field != name));
            if self.each_has_column {
                let has_column = |name: &String| {
                    columns
                        .iter()
                        .filter_map(custom_name)
                        .any(|own| own == name)
                };
                let names = fields.into_iter().map(|(name, _)| name);
                self.without_column
                    .extend(names.filter(|name| !has_column(name)));
            }
        }
    }

    /// Logs both kinds, once there are new rows. A column for a field that no subscriber has is probably misspelled; if
    /// only recent subscribers were read, it is not.
    pub(super) fn warn(&self, full_walk: bool) {
        for name in &self.unseen {
            let text = format!(
                "no new subscriber has a custom field named {name:?}: its column is empty (names match exactly)"
            );
            if full_walk {
                tracing::warn!(event = "custom_field_unseen", name, "{text}");
            } else {
                tracing::info!(event = "custom_field_unseen", name, "{text}");
            }
        }
        // A file keeps the columns that it was begun with.
        for name in &self.without_column {
            tracing::warn!(
                event = "custom_field_without_column",
                name,
                "the custom field {name:?} has no column in the growing file, which was begun without it\n  \
                 next: move the file away; the next one begins with every custom field that the lists have then"
            );
        }
    }
}

fn custom_name(column: &Column) -> Option<&str> {
    match column {
        Column::Custom(name) => Some(name),
        _ => None,
    }
}
