//! An HTTP answer before faults apply, and AWeber's errors in their two envelopes.

use serde_json::{Value, json};

use crate::settings::Envelope;

/// The content type as the live API sends it, with quotes.
pub(crate) const JSON: &str = "application/json; charset=\"utf-8\"";

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer::of(status, JSON, body)
    }

    pub(crate) fn value(status: u16, body: &Value) -> Answer {
        Answer::json(status, body.to_string())
    }

    pub(crate) fn of(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }
}

/// Envelope A: an object with status, type and message.
pub(crate) fn envelope_a(status: u16, kind: &str, message: &str) -> Answer {
    Answer::value(
        status,
        &json!({"error": {
            "status": status,
            "type": kind,
            "message": message,
            "documentation_url": format!("https://api.aweber.com#{}", anchor(status)),
        }}),
    )
}

/// Envelope B: as in OAuth 2.
pub(crate) fn envelope_b(status: u16, error: &str, description: &str) -> Answer {
    Answer::value(
        status,
        &json!({"error": error, "error_description": description}),
    )
}

/// For an invalid bearer token.
pub(crate) fn invalid_token(envelope: Envelope) -> Answer {
    match envelope {
        Envelope::A => envelope_a(401, "UnauthorizedError", "Invalid Token"),
        Envelope::B => envelope_b(
            401,
            "invalid_token",
            "The access token is invalid or has expired",
        ),
    }
}

/// For an unknown path: the live API answers 401, not 404.
pub(crate) fn unknown_path() -> Answer {
    envelope_a(401, "UnauthorizedError", "Unauthorized")
}

pub(crate) fn wrong_method(allowed: &str) -> Answer {
    envelope_a(405, "MethodNotAllowedError", "Method not allowed").header("allow", allowed)
}

/// For an invalid `ws.*` or sort parameter.
pub(crate) fn bad_window(message: &str) -> Answer {
    envelope_a(400, "WebServiceError", message)
}

/// For an invalid filter or operation.
pub(crate) fn bad_request(message: &str) -> Answer {
    envelope_a(400, "BadRequestError", message)
}

/// For a list that does not exist.
pub(crate) fn no_list() -> Answer {
    envelope_a(404, "ListNotFoundError", "List not found")
}

fn anchor(status: u16) -> &'static str {
    match status {
        400 => "bad-request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not-found",
        405 => "method-not-allowed",
        410 => "blocked",
        415 => "unsupported-media-type",
        500 => "internal-server-error",
        503 => "service-unavailable",
        _ => "errors",
    }
}
