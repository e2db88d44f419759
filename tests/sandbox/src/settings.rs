//! Settings: behaviour that AWeber's documentation leaves open, and options for tests.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Clock;
use crate::rate::RateLimit;

/// The effect of a refresh on the old refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// It is invalid at once: using it answers `invalid_grant`.
    #[default]
    DeadAtOnce,
    /// It stays valid.
    Tolerated,
    /// It stays valid until a newer one of the same authorization, or an access token issued with that, is used.
    UntilUsed,
    /// It is invalid, and using it revokes all tokens of the same authorization.
    FamilyKill,
}

/// AWeber's two forms of error bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// `{"error":{"status":…,"type":…,"message":…}}`
    A,
    /// `{"error":"…","error_description":"…"}`
    B,
}

/// The form of a field without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// Null.
    #[default]
    Null,
    /// The key is missing.
    Absent,
    /// An empty string.
    Empty,
}

/// What happens to a `ws.size` above [`Settings::largest_page`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LargerPage {
    /// It is rejected (400), as documented.
    #[default]
    Rejected,
    /// The page has the largest size instead.
    Cut,
    /// The page is as large as requested.
    Sent,
}

/// The form of `total_size` in a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TotalSize {
    /// A number, as documented.
    #[default]
    Number,
    /// A string of digits.
    Text,
    /// The key is missing.
    Absent,
}

/// The form of times that carry an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeForm {
    /// `2026-03-10T08:00:00-04:00`
    #[default]
    Offset,
    /// `2026-03-10T12:00:00Z`
    Utc,
    /// `2026-03-10T08:00:00`: US Eastern time without saying so.
    NoOffset,
}

/// All settings. While the sandbox runs, `world.settings` changes them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Port of the API origin; 0 selects a free one.
    pub port_api: u16,
    /// Port of the OAuth origin; 0 selects a free one.
    pub port_auth: u16,
    /// The effect of a refresh on the old refresh token.
    pub rotation: Rotation,
    /// A refresh invalidates the access tokens issued before it.
    pub refresh_kills_access: bool,
    /// Lifetime of an access token in seconds, and the `expires_in` of token answers.
    pub access_expires_in: u64,
    /// Lifetime of an authorization code in seconds.
    pub code_expires_in: u64,
    /// Lifetime of a refresh token in seconds; `None`: unlimited.
    pub refresh_expires_in: Option<u64>,
    /// Each access token is valid for this many API requests, then answers 401.
    pub access_dies_after_requests: Option<u32>,
    /// The rate limit, if any.
    pub rate_limit: Option<RateLimit>,
    /// Token requests count towards the rate limit too.
    pub token_calls_count: bool,
    /// Offset from UTC, in hours, of the time zone of the days in filters.
    pub day_zone_hours: i32,
    /// Filters and orders of subscriber finds that are ignored although they are documented, e.g. `unsubscribed_after`,
    /// `sort_key`.
    pub ignored_parameters: Vec<&'static str>,
    /// The "after" and "before" filters include the day they name, as documented.
    pub after_includes_day: bool,
    /// The largest page.
    pub largest_page: usize,
    /// What happens to requests for a larger one.
    pub larger_page: LargerPage,
    /// Subscribers come newest first, whatever `sort_order` says.
    pub newest_first: bool,
    /// Pages have no next link, although more rows follow.
    pub omit_next_links: bool,
    /// The form of `total_size`.
    pub total_size: TotalSize,
    /// Added to every count of subscribers.
    pub count_error: i64,
    /// The form of `subscribed_at` and other times with an offset.
    pub time_form: TimeForm,
    /// The status for a subscriber that does not exist.
    pub vanished_status: u16,
    /// Answers of the API have headers about the rate limit.
    pub rate_limit_headers: bool,
    /// Confirming sets `subscribed_at` to the time of the confirmation.
    pub confirm_moves_subscribed_at: bool,
    /// Delay before a request is processed.
    pub latency: Duration,
    /// `verified_at`, which carries no offset, is in UTC instead of US Eastern time.
    pub verified_at_in_utc: bool,
    /// The form of a subscriber's field without a value.
    pub missing_values: Missing,
    /// An undocumented query parameter is rejected (400) instead of ignored.
    pub refuse_unknown_parameters: bool,
    /// The find for *lists* has next and prev links (its schema shows neither).
    pub find_has_next_link: bool,
    /// `ws.show=total_size` answers `{"total_size":205}` instead of `205`.
    pub show_total_as_object: bool,
    /// Missing next and prev links are null instead of absent.
    pub null_links: bool,
    /// Links have the other scheme than the request, like AWeber's old `http://` links in answers to `https` requests. The
    /// sandbox itself uses http, so its links become `https://`, with the same host and port.
    pub old_http_links: bool,
    /// Links are paths without scheme and host.
    pub relative_links: bool,
    /// Origin of links, instead of the API's own, e.g. `https://elsewhere.example`.
    pub link_origin: Option<String>,
    /// Status for a token without the required scope: 401 or 403.
    pub require_scope_status: u16,
    /// Body of the 401 for a bad or expired access token.
    pub bad_token_envelope: Envelope,
    /// Body of the 401 for an unknown client or a wrong secret.
    pub bad_client_envelope: Envelope,
    /// Status when a public client sends a secret: 400 (`invalid_request`) or 401 (`invalid_client`).
    pub public_secret_status: u16,
    /// The source of the current time.
    pub clock: Clock,
    /// Answers have a `Date` header.
    pub send_date: bool,
    /// Answers are compressed for clients that accept it.
    pub gzip: bool,
    /// Subscribers have email, name, ip_address and misc_notes. These keys used to require a permission.
    pub personal_fields: bool,
    /// The customer denies access on the authorization page.
    pub customer_refuses: bool,
    /// Token answers have no `refresh_token`, and a refresh leaves the old one valid.
    pub omit_refresh_token: bool,
    /// Token answers have no `token_type`.
    pub omit_token_type: bool,
    /// Additional keys of token answers, which replace existing ones.
    pub extra_token_fields: Vec<(String, Value)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            port_api: 0,
            port_auth: 0,
            rotation: Rotation::DeadAtOnce,
            refresh_kills_access: true,
            access_expires_in: 7200,
            code_expires_in: 600,
            refresh_expires_in: None,
            access_dies_after_requests: None,
            rate_limit: Some(RateLimit::default()),
            token_calls_count: false,
            day_zone_hours: 0,
            ignored_parameters: Vec::new(),
            after_includes_day: true,
            largest_page: 100,
            larger_page: LargerPage::Rejected,
            newest_first: false,
            omit_next_links: false,
            total_size: TotalSize::Number,
            count_error: 0,
            time_form: TimeForm::Offset,
            vanished_status: 404,
            rate_limit_headers: false,
            confirm_moves_subscribed_at: false,
            latency: Duration::ZERO,
            verified_at_in_utc: false,
            missing_values: Missing::Null,
            refuse_unknown_parameters: false,
            find_has_next_link: true,
            show_total_as_object: false,
            null_links: false,
            old_http_links: false,
            relative_links: false,
            link_origin: None,
            require_scope_status: 403,
            bad_token_envelope: Envelope::B,
            bad_client_envelope: Envelope::B,
            public_secret_status: 400,
            clock: Clock::Real,
            send_date: true,
            gzip: false,
            personal_fields: true,
            customer_refuses: false,
            omit_refresh_token: false,
            omit_token_type: false,
            extra_token_fields: Vec::new(),
        }
    }
}
