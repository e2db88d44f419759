//! Fault injection: which fault, for which requests, how often. And hooks: changes of the world at a given request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::answer::{self, Answer};
use crate::world::World;

/// The kinds of faults.
#[derive(Clone)]
pub enum FaultKind {
    /// This answer; the request is not processed.
    Status {
        /// The status.
        status: u16,
        /// The body.
        body: String,
        /// The content type.
        content_type: String,
    },
    /// The connection is reset; the request is not processed.
    ResetBefore,
    /// The request is processed (a refresh rotates the token), then the connection is reset without an answer.
    ResetAfter,
    /// The request is processed. The answer has the headers of the whole body, but the connection closes after half of it.
    HalfBody,
    /// The request is processed after this delay.
    DelayBefore(Duration),
    /// No answer until the client disconnects or the sandbox is dropped.
    Never {
        /// Whether the request is processed.
        work_done: bool,
    },
    /// A chunked body that sends single bytes forever. The request is processed.
    EndlessBody,
    /// A chunked JSON body of this many bytes. The request is processed.
    HugeBody(u64),
    /// A redirect; the request is not processed.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The target.
        location: String,
    },
    /// The real page without its entries and without a next link: a wrong answer with status 200.
    EmptyPage,
    /// Another page than the requested one, rendered as if it had been requested. It may be larger than AWeber's 100 rows.
    OtherPage {
        /// Maps the requested first row to the first row served.
        start: Arc<dyn Fn(u64) -> u64 + Send + Sync>,
        /// Maximum number of rows.
        size: u64,
    },
    /// The real JSON body, changed. Digits go through `serde_json`; use `ReplaceBytes` to preserve them.
    Replace(Arc<dyn Fn(Value) -> Value + Send + Sync>),
    /// The real body, changed.
    ReplaceBytes(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
    /// A gzip body that expands to this many bytes of JSON, even if the client does not accept gzip. The request is
    /// processed.
    GzipBomb(u64),
    /// The real body with content type `text/html`.
    WrongContentType,
}

impl FaultKind {
    /// An error in AWeber's envelope A.
    pub fn envelope_a(status: u16, kind: &str, message: &str) -> FaultKind {
        FaultKind::from_answer(answer::envelope_a(status, kind, message))
    }

    /// An error in AWeber's envelope B.
    pub fn envelope_b(status: u16, error: &str, description: &str) -> FaultKind {
        FaultKind::from_answer(answer::envelope_b(status, error, description))
    }

    /// The 403 for exceeding the rate limit.
    pub fn rate_limit() -> FaultKind {
        FaultKind::from_answer(rate_limit_error())
    }

    /// An HTML error page, as gateways send it.
    pub fn html(status: u16) -> FaultKind {
        let body = format!(
            "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
        );
        FaultKind::Status {
            status,
            body,
            content_type: "text/html".to_owned(),
        }
    }

    /// This status with an empty body.
    pub fn status(status: u16) -> FaultKind {
        FaultKind::Status {
            status,
            body: String::new(),
            content_type: answer::JSON.to_owned(),
        }
    }

    /// The real JSON body, changed.
    pub fn replace(change: impl Fn(Value) -> Value + Send + Sync + 'static) -> FaultKind {
        FaultKind::Replace(Arc::new(change))
    }

    /// The real body, changed.
    pub fn replace_bytes(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> FaultKind {
        FaultKind::ReplaceBytes(Arc::new(change))
    }

    /// Another page than the requested one.
    pub fn other_page(start: impl Fn(u64) -> u64 + Send + Sync + 'static, size: u64) -> FaultKind {
        FaultKind::OtherPage {
            start: Arc::new(start),
            size,
        }
    }

    fn from_answer(answer: Answer) -> FaultKind {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        FaultKind::Status {
            status: answer.status,
            body,
            content_type: answer.content_type,
        }
    }
}

impl fmt::Debug for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            FaultKind::Status { status, .. } => return write!(f, "Status({status})"),
            FaultKind::ResetBefore => "ResetBefore",
            FaultKind::ResetAfter => "ResetAfter",
            FaultKind::HalfBody => "HalfBody",
            FaultKind::DelayBefore(_) => "DelayBefore",
            FaultKind::Never { .. } => "Never",
            FaultKind::EndlessBody => "EndlessBody",
            FaultKind::HugeBody(_) => "HugeBody",
            FaultKind::Redirect { .. } => "Redirect",
            FaultKind::EmptyPage => "EmptyPage",
            FaultKind::OtherPage { .. } => "OtherPage",
            FaultKind::Replace(_) => "Replace",
            FaultKind::ReplaceBytes(_) => "ReplaceBytes",
            FaultKind::GzipBomb(_) => "GzipBomb",
            FaultKind::WrongContentType => "WrongContentType",
        };
        f.write_str(name)
    }
}

/// AWeber's answer to a request over the rate limit.
pub(crate) fn rate_limit_error() -> Answer {
    answer::envelope_a(403, "ForbiddenError", "Rate Limit Error")
}

/// A fault and the requests that it applies to.
#[derive(Debug, Clone)]
pub struct Fault {
    on: String,
    whole_path: bool,
    skip: u32,
    times: Option<u32>,
    kind: FaultKind,
}

impl Fault {
    /// For requests whose raw URL (origin, path and query) contains this text: `Fault::on("/oauth2/token")`. By default
    /// the fault applies to the first one only.
    pub fn on(text: impl Into<String>) -> FaultBuilder {
        FaultBuilder {
            on: text.into(),
            whole_path: false,
            skip: 0,
            times: Some(1),
        }
    }

    /// For requests with exactly this path and any query: `/1.0/accounts`, but no path below it.
    pub fn on_path(path: impl Into<String>) -> FaultBuilder {
        FaultBuilder {
            whole_path: true,
            ..Fault::on(path)
        }
    }

    fn applies_to(&self, address: &str) -> bool {
        if !self.whole_path {
            return address.contains(&self.on);
        }
        let path = address.split('?').next().unwrap_or(address);
        path.ends_with(&self.on)
    }
}

/// A fault without its kind.
#[derive(Debug, Clone)]
pub struct FaultBuilder {
    on: String,
    whole_path: bool,
    skip: u32,
    times: Option<u32>,
}

impl FaultBuilder {
    /// Applies to this many matching requests.
    pub fn times(mut self, times: u32) -> FaultBuilder {
        self.times = Some(times);
        self
    }

    /// Applies to every matching request.
    pub fn always(mut self) -> FaultBuilder {
        self.times = None;
        self
    }

    /// Skips this many matching requests first, including those that another fault answers.
    pub fn skip(mut self, skip: u32) -> FaultBuilder {
        self.skip = skip;
        self
    }

    /// Completes the fault with its kind.
    pub fn answer(self, kind: FaultKind) -> Fault {
        Fault {
            on: self.on,
            whole_path: self.whole_path,
            skip: self.skip,
            times: self.times,
            kind,
        }
    }
}

/// A single change of the world.
pub(crate) type Change = Box<dyn OneChange>;

/// A closure that can be copied in its box, since a world can.
pub(crate) trait OneChange: Send {
    fn make(self: Box<Self>, world: &mut World);
    fn copy(&self) -> Change;
}

impl<F: FnOnce(&mut World) + Clone + Send + 'static> OneChange for F {
    fn make(self: Box<Self>, world: &mut World) {
        self(world);
    }

    fn copy(&self) -> Change {
        Box::new(self.clone())
    }
}

impl Clone for Change {
    fn clone(&self) -> Change {
        (**self).copy()
    }
}

#[derive(Clone)]
struct Hook {
    on: String,
    left: u32,
    change: Change,
}

/// Faults and hooks that are still to be applied.
#[derive(Clone, Default)]
pub(crate) struct Injections {
    faults: Vec<Fault>,
    hooks: Vec<Hook>,
}

impl Injections {
    pub(crate) fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn add_hook(&mut self, on: &str, nth: u32, change: Change) {
        self.hooks.push(Hook {
            on: on.to_owned(),
            left: nth.max(1),
            change,
        });
    }

    /// The fault for this request; if several match, the first one added.
    pub(crate) fn fault_for(&mut self, address: &str) -> Option<FaultKind> {
        let mut due = None;
        for fault in self
            .faults
            .iter_mut()
            .filter(|fault| fault.applies_to(address))
        {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if due.is_none() && fault.times != Some(0) {
                fault.times = fault.times.map(|times| times - 1);
                due = Some(fault.kind.clone());
            }
        }
        self.faults.retain(|fault| fault.times != Some(0));
        due
    }

    /// The changes to make before this request is processed.
    pub(crate) fn hooks_for(&mut self, address: &str) -> Vec<Change> {
        let mut due = Vec::new();
        for mut hook in std::mem::take(&mut self.hooks) {
            if address.contains(&hook.on) {
                hook.left -= 1;
            }
            if hook.left == 0 {
                due.push(hook.change)
            } else {
                self.hooks.push(hook)
            }
        }
        due
    }
}
