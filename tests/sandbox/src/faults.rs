//! Faults on order: what goes wrong, for which requests, how often. And hooks: changes of the world at a given request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::answer::{self, Answer};
use crate::world::World;

/// What goes wrong.
#[derive(Clone)]
pub enum FaultKind {
    /// This answer instead of the work.
    Status {
        /// The status.
        status: u16,
        /// The body.
        body: String,
        /// The content type.
        content_type: String,
    },
    /// The connection is reset before any work is done.
    ResetBefore,
    /// The work is done (a refresh has rotated the token), and then the connection is reset: no byte of the answer.
    ResetAfter,
    /// The work is done; headers for the whole body, half of it, then the connection closes.
    HalfBody,
    /// The request waits this long before it is worked on.
    DelayBefore(Duration),
    /// No answer until the client leaves or the sandbox is dropped.
    Never {
        /// Whether the work is done all the same.
        work_done: bool,
    },
    /// A body that trickles for ever, in chunks, byte by byte. The work is done.
    EndlessBody,
    /// A JSON body of this many bytes, in chunks. The work is done.
    HugeBody(u64),
    /// A redirect instead of the work.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Where to.
        location: String,
    },
    /// The real page with its entries taken out and without a next link: a 200 that lies.
    EmptyPage,
    /// Another page than the one asked for, rendered as if it had been asked for: it begins at the row that `start`
    /// makes of the one asked for, and has up to `size` rows, also more than AWeber's hundred.
    OtherPage {
        /// From the row asked for to the row served.
        start: Arc<dyn Fn(u64) -> u64 + Send + Sync>,
        /// The most rows on it.
        size: u64,
    },
    /// The real JSON body, changed. Digits go through `serde_json`; use `ReplaceBytes` where they must survive.
    Replace(Arc<dyn Fn(Value) -> Value + Send + Sync>),
    /// The real body, changed.
    ReplaceBytes(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
    /// A gzip body that unpacks to this many bytes of JSON, whatever the client accepts. The work is done.
    GzipBomb(u64),
    /// The real body, called `text/html`.
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

    /// The 403 of the rate limit.
    pub fn rate_limit() -> FaultKind {
        FaultKind::from_answer(rate_limit_error())
    }

    /// A gateway's page.
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

    /// An empty body with this status.
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

    /// Another page than the one asked for.
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

/// AWeber's answer to one request too many.
pub(crate) fn rate_limit_error() -> Answer {
    answer::envelope_a(403, "ForbiddenError", "Rate Limit Error")
}

/// A fault, and the requests it is for.
#[derive(Debug, Clone)]
pub struct Fault {
    on: String,
    whole_path: bool,
    skip: u32,
    times: Option<u32>,
    kind: FaultKind,
}

impl Fault {
    /// For requests whose origin, path and query contain this text, as they came: `Fault::on("/oauth2/token")`.
    /// Once, the first time, unless something else is said.
    pub fn on(text: impl Into<String>) -> FaultBuilder {
        FaultBuilder {
            on: text.into(),
            whole_path: false,
            skip: 0,
            times: Some(1),
        }
    }

    /// As [`Fault::on`], for requests whose path is exactly this one, whatever their query: `/1.0/accounts` and
    /// nothing below it.
    pub fn on_path(path: impl Into<String>) -> FaultBuilder {
        FaultBuilder {
            whole_path: true,
            ..Fault::on(path)
        }
    }

    fn is_for(&self, address: &str) -> bool {
        if !self.whole_path {
            return address.contains(&self.on);
        }
        let path = address.split('?').next().unwrap_or(address);
        path.ends_with(&self.on)
    }
}

/// A fault whose kind is still to be said.
#[derive(Debug, Clone)]
pub struct FaultBuilder {
    on: String,
    whole_path: bool,
    skip: u32,
    times: Option<u32>,
}

impl FaultBuilder {
    /// For so many matching requests.
    pub fn times(mut self, times: u32) -> FaultBuilder {
        self.times = Some(times);
        self
    }

    /// For every matching request.
    pub fn always(mut self) -> FaultBuilder {
        self.times = None;
        self
    }

    /// Only after so many matching requests have gone by; those that another fault answers count too.
    pub fn skip(mut self, skip: u32) -> FaultBuilder {
        self.skip = skip;
        self
    }

    /// What goes wrong.
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

/// A change of the world, to be made once.
pub(crate) type Change = Box<dyn FnOnce(&mut World) + Send>;

struct Hook {
    on: String,
    left: u32,
    change: Change,
}

/// The faults and hooks that wait for their requests.
#[derive(Default)]
pub(crate) struct Disturbances {
    faults: Vec<Fault>,
    hooks: Vec<Hook>,
}

impl Disturbances {
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

    /// The fault for this request: of several the one ordered first.
    pub(crate) fn fault_for(&mut self, address: &str) -> Option<FaultKind> {
        let mut due = None;
        for fault in self.faults.iter_mut().filter(|fault| fault.is_for(address)) {
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

    /// The changes that are due at this request.
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
