//! How the sandbox behaves where AWeber's documentation leaves more than one reading, and the knobs tests turn.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Clock;
use crate::rate::RateLimit;

/// What becomes of the old refresh token when a refresh hands out a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// It is dead at once; using it answers `invalid_grant`.
    #[default]
    DeadAtOnce,
    /// It goes on working beside the new one.
    Tolerated,
    /// It is dead, and using it kills every token that came from the same authorization.
    FamilyKill,
}

/// Which of AWeber's two error bodies an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// `{"error":{"status":…,"type":…,"message":…}}`
    A,
    /// `{"error":"…","error_description":"…"}`
    B,
}

/// How a field without a value is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// As null.
    #[default]
    Null,
    /// Not at all.
    Absent,
    /// As an empty string.
    Empty,
}

/// Everything that can be set; also reachable while the sandbox runs, as `world.settings`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Port of the API origin; 0 takes a free one.
    pub port_api: u16,
    /// Port of the OAuth origin; 0 takes a free one.
    pub port_auth: u16,
    /// What a refresh does to the old refresh token.
    pub rotation: Rotation,
    /// A refresh kills the access tokens issued before it.
    pub refresh_kills_access: bool,
    /// Life of an access token in seconds, and the `expires_in` of token answers.
    pub access_expires_in: u64,
    /// Life of an authorization code in seconds.
    pub code_expires_in: u64,
    /// Life of a refresh token in seconds; none: for ever.
    pub refresh_expires_in: Option<u64>,
    /// Each access token works for this many API requests and answers 401 from then on.
    pub access_dies_after_requests: Option<u32>,
    /// The rate limit, or none.
    pub rate_limit: Option<RateLimit>,
    /// Token calls count towards the rate limit too.
    pub token_calls_count: bool,
    /// Offset from UTC, in hours, of the zone in which the days of filters are read.
    pub day_zone_hours: i32,
    /// The "after" and "before" filters include the day they name, as documented.
    pub after_includes_day: bool,
    /// Confirming sets `subscribed_at` to the moment of the confirmation.
    pub confirm_moves_subscribed_at: bool,
    /// Time between the arrival of a request and the work on it.
    pub latency: Duration,
    /// `verified_at`, which carries no offset, is UTC instead of US Eastern wall clock.
    pub verified_at_in_utc: bool,
    /// How a subscriber's field without a value is sent.
    pub missing_values: Missing,
    /// A query parameter that the endpoint does not document is refused (400) instead of ignored.
    pub refuse_unknown_parameters: bool,
    /// The *list* find carries next and prev links (its schema shows neither).
    pub find_has_next_link: bool,
    /// `ws.show=total_size` answers `{"total_size":205}` instead of `205`.
    pub show_total_as_object: bool,
    /// Missing next and prev links are sent as null instead of being left out.
    pub null_links: bool,
    /// Links carry the other scheme than the one they were asked with. AWeber's old `http://` links for an `https`
    /// API were that; the sandbox itself speaks http, so here they become `https://` with the same host and port.
    pub old_http_links: bool,
    /// Links are paths without scheme and host.
    pub relative_links: bool,
    /// Origin that links carry instead of the API's own, e.g. `https://elsewhere.example`.
    pub link_origin: Option<String>,
    /// Status for a token without the scope that an endpoint needs: 401 or 403.
    pub require_scope_status: u16,
    /// Body of the 401 for a bad or expired access token.
    pub bad_token_envelope: Envelope,
    /// Body of the 401 for an unknown client or a wrong secret.
    pub bad_client_envelope: Envelope,
    /// Status when a public client sends a secret: 400 (`invalid_request`) or 401 (`invalid_client`).
    pub public_secret_status: u16,
    /// Where "now" comes from.
    pub clock: Clock,
    /// Answers carry a `Date` header.
    pub send_date: bool,
    /// Answers are compressed for clients that accept it.
    pub gzip: bool,
    /// Subscribers show email, name, ip_address and misc_notes; without the old permission the keys were missing.
    pub personal_fields: bool,
    /// The customer refuses at the authorization page.
    pub customer_refuses: bool,
    /// Token answers leave out `refresh_token`; a refresh then leaves the old one alive.
    pub omit_refresh_token: bool,
    /// Token answers leave out `token_type`.
    pub omit_token_type: bool,
    /// Further keys of token answers; a key that is there already is replaced.
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
            after_includes_day: true,
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
