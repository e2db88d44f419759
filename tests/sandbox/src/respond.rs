//! Handles one request: records it, applies rate limit and faults, processes it, and builds the response.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::answer::{Answer, JSON, bad_request};
use crate::body::{CutOff, Outgoing};
use crate::clock::http_date;
use crate::connection::ResetFlag;
use crate::faults::{Change, FaultKind, rate_limit_error};
use crate::record::{Authorization, Origin, Recorded};
use crate::request::Request;
use crate::server::SharedWorld;
use crate::signature::signature_of;
use crate::world::World;
use crate::{api, control, oauth};

/// Far above the size of any request of this API.
const LARGEST_REQUEST: usize = 1 << 20;

/// Answers one request; an error closes the connection.
pub(crate) async fn respond(
    world: Arc<SharedWorld>,
    origin: Origin,
    reset: ResetFlag,
    incoming: hyper::Request<Incoming>,
) -> Result<Response<Outgoing>, CutOff> {
    let (head, body) = incoming.into_parts();
    let body = Limited::new(body, LARGEST_REQUEST).collect().await;
    let is_readable = body.is_ok();
    let query = head.uri.query().unwrap_or("").to_owned();
    let request = Request {
        origin,
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        params: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        query,
        headers: head.headers,
        body: body
            .map(|body| body.to_bytes().to_vec())
            .unwrap_or_default(),
        any_page_size: false,
    };
    if origin == Origin::Api && request.path.starts_with(control::PREFIX) {
        let answer = control::answer(&mut world.lock(), &request);
        return Ok(into_response(answer, None));
    }
    let mut received = world.lock().receive(&request);
    if !is_readable {
        received.rejection = Some(bad_request("The body cannot be read"));
    }
    if !received.delay.is_zero() {
        tokio::time::sleep(received.delay).await;
    }
    let answer = world.lock().process(&request, &mut received);
    match received.fault {
        Some(FaultKind::ResetBefore | FaultKind::ResetAfter) => {
            reset.set();
            Err(CutOff)
        }
        Some(FaultKind::Never { .. }) => std::future::pending().await,
        fault => Ok(into_response(answer, fault)),
    }
}

/// How a recorded request is to be handled.
pub(crate) struct Received {
    number: u64,
    changes: Vec<Change>,
    rejection: Option<Answer>,
    fault: Option<FaultKind>,
    delay: std::time::Duration,
}

impl World {
    /// Records a request, counts it towards the rate limit, and takes the faults and hooks that apply to it.
    fn receive(&mut self, request: &Request) -> Received {
        self.requests_so_far += 1;
        let number = self.requests_so_far;
        self.record_secrets(request);
        let header = |name| request.header(name).map(str::to_owned);
        self.requests.push(Recorded {
            number,
            at: Instant::now(),
            at_time: SystemTime::now(),
            origin: request.origin,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            path_and_query: request.path_and_query(),
            params: request.params.clone(),
            form: request.fields().unwrap_or_default(),
            user_agent: header("user-agent"),
            accept: header("accept"),
            authorization: request.authorization(),
            status: None,
            fault: false,
        });
        let url = format!(
            "{}{}",
            self.origin_url(request.origin),
            request.path_and_query()
        );
        let changes = self.injections.hooks_for(&url);
        let counts = request.origin == Origin::Api
            || (self.settings.token_calls_count && request.path == "/oauth2/token");
        let rule = self.settings.rate_limit.filter(|_| counts);
        let limited = rule.is_some_and(|rule| !self.rate.admit(&rule, Instant::now()));
        // A request over the rate limit does not consume a fault.
        let fault = if limited {
            None
        } else {
            self.injections.fault_for(&url)
        };
        let mut delay = self.settings.latency;
        if let Some(FaultKind::DelayBefore(time)) = &fault {
            delay += *time;
        }
        Received {
            number,
            changes,
            rejection: limited.then(rate_limit_error),
            fault,
            delay,
        }
    }

    /// Processes the request, unless it is rejected or the fault prevents it, and records the status.
    fn process(&mut self, request: &Request, received: &mut Received) -> Answer {
        for change in received.changes.drain(..) {
            change.make(self);
        }
        let answer = match (received.rejection.take(), &received.fault) {
            (Some(rejection), _) => rejection,
            (None, Some(FaultKind::ResetBefore | FaultKind::Never { work_done: false })) => {
                Answer::json(503, "")
            }
            (
                None,
                Some(FaultKind::Status {
                    status,
                    body,
                    content_type,
                }),
            ) => Answer::of(*status, content_type, body.as_str()),
            (None, Some(FaultKind::Redirect { status, location })) => {
                Answer::json(*status, "").header("location", location)
            }
            (None, fault) => {
                let other_page = match fault {
                    Some(FaultKind::OtherPage { start, size }) => {
                        Some(request.for_page(start.as_ref(), *size))
                    }
                    _ => None,
                };
                let request = other_page.as_ref().unwrap_or(request);
                let answer = match request.origin {
                    Origin::Api => api::answer(self, request),
                    Origin::Auth => oauth::answer(self, request),
                };
                apply_fault(answer, fault.as_ref())
            }
        };
        let silent = matches!(
            received.fault,
            Some(FaultKind::ResetBefore | FaultKind::ResetAfter | FaultKind::Never { .. })
        );
        let recorded = self
            .requests
            .iter_mut()
            .rev()
            .find(|recorded| recorded.number == received.number);
        if let Some(recorded) = recorded {
            recorded.status = (!silent).then_some(answer.status);
            recorded.fault = received.fault.is_some();
        }
        self.add_common_headers(request, answer)
    }

    /// Adds the `Date` header and compresses the body, as the settings require.
    fn add_common_headers(&self, request: &Request, mut answer: Answer) -> Answer {
        if answer.status == 401 {
            let scheme = match request.origin {
                Origin::Api => "Bearer realm=\"AWeber API\"",
                Origin::Auth => "Basic realm=\"AWeber\"",
            };
            answer = answer.header("www-authenticate", scheme);
        }
        if self.settings.send_date {
            answer = answer.header("date", http_date(self.now()));
        }
        let accepts = request
            .header("accept-encoding")
            .is_some_and(|accepted| accepted.contains("gzip"));
        let is_compressed = answer
            .headers
            .iter()
            .any(|(name, _)| *name == "content-encoding");
        if self.settings.gzip && accepts && !is_compressed && !answer.body.is_empty() {
            answer.body = gzip(&mut answer.body.as_slice());
            answer = answer.header("content-encoding", "gzip");
        }
        answer
    }

    fn record_secrets(&mut self, request: &Request) {
        for (key, value) in request
            .fields()
            .unwrap_or_default()
            .iter()
            .chain(&request.params)
        {
            if matches!(
                key.as_str(),
                "code"
                    | "code_verifier"
                    | "refresh_token"
                    | "access_token"
                    | "token"
                    | "client_secret"
                    | "oauth_verifier"
            ) {
                self.tokens.record_secret(value);
            }
        }
        match request.authorization() {
            Authorization::Bearer(token) => self.tokens.record_secret(&token),
            Authorization::Basic { secret, .. } => self.tokens.record_secret(&secret),
            _ => {}
        }
        if let Some(signature) = signature_of(request) {
            self.tokens.record_secret(&signature);
        }
    }
}

/// Applies the faults that change a real answer.
fn apply_fault(mut answer: Answer, fault: Option<&FaultKind>) -> Answer {
    let value = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).ok();
    match fault {
        Some(FaultKind::WrongContentType) => {
            answer.content_type = "text/html; charset=utf-8".to_owned()
        }
        Some(FaultKind::ReplaceBytes(change)) => {
            answer.body = change(std::mem::take(&mut answer.body))
        }
        Some(FaultKind::Replace(change)) => {
            if let Some(body) = value(&answer) {
                answer.body = change(body).to_string().into_bytes();
            }
        }
        Some(FaultKind::EmptyPage) => {
            if let Some(Value::Object(mut page)) = value(&answer) {
                page.insert("entries".to_owned(), Value::Array(Vec::new()));
                page.shift_remove("next_collection_link");
                answer.body = Value::Object(page).to_string().into_bytes();
            }
        }
        Some(FaultKind::GzipBomb(size)) => {
            answer.body = gzip_bomb(*size);
            answer.content_type = JSON.to_owned();
            return answer.header("content-encoding", "gzip");
        }
        _ => {}
    }
    answer
}

/// A compressed JSON body. The last one is cached, because compressing a large one is slow.
fn gzip_bomb(size: u64) -> Vec<u8> {
    static LAST: Mutex<(u64, Vec<u8>)> = Mutex::new((0, Vec::new()));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.0 != size {
        let spaces = std::io::repeat(b' ').take(size);
        *last = (
            size,
            gzip(&mut b"{\"entries\":[".chain(spaces).chain(&b"]}"[..])),
        );
    }
    last.1.clone()
}

fn gzip(source: &mut dyn Read) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut chunk = [0u8; 16 * 1024];
    while let Ok(length @ 1..) = source.read(&mut chunk) {
        encoder
            .write_all(&chunk[..length])
            .expect("writing to memory cannot fail");
    }
    encoder.finish().expect("writing to memory cannot fail")
}

/// Converts the answer for hyper and applies the faults that change the transfer of the body.
fn into_response(answer: Answer, fault: Option<FaultKind>) -> Response<Outgoing> {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("content-type", answer.content_type);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match fault {
        Some(FaultKind::HalfBody) => {
            response = response.header("content-length", answer.body.len());
            let half = answer.body.len() / 2;
            Outgoing::cut_after(answer.body.into_iter().take(half).collect())
        }
        Some(FaultKind::EndlessBody) => Outgoing::trickle(),
        Some(FaultKind::HugeBody(bytes)) => Outgoing::huge(bytes),
        _ => Outgoing::whole(answer.body),
    };
    response
        .body(body)
        .expect("the headers of the sandbox are valid")
}
