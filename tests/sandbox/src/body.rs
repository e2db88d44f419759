//! Response bodies: complete, cut off, endless, huge.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

const CHUNK: u64 = 64 * 1024;

/// Delay for the first half to reach the client before the connection is closed.
const BEFORE_CUT: Duration = Duration::from_millis(30);

/// Time between two bytes of the endless body.
const BETWEEN_BYTES: Duration = Duration::from_millis(10);

/// A response body.
pub(crate) enum Outgoing {
    /// The complete body at once.
    Whole(Option<Bytes>),
    /// These bytes, a pause, then the connection is closed.
    Cut(Option<Bytes>, Pin<Box<Sleep>>),
    /// One byte after another, forever.
    Trickle(Pin<Box<Sleep>>),
    /// A JSON object with a string of `left` bytes.
    Huge { left: u64, started: bool },
}

/// The error that makes hyper close the connection.
#[derive(Debug)]
pub(crate) struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection closed by a fault")
    }
}

impl std::error::Error for CutOff {}

impl From<Infallible> for CutOff {
    fn from(never: Infallible) -> CutOff {
        match never {}
    }
}

impl Outgoing {
    pub(crate) fn whole(bytes: Vec<u8>) -> Outgoing {
        Outgoing::Whole(Some(bytes.into()))
    }

    pub(crate) fn cut_after(bytes: Vec<u8>) -> Outgoing {
        Outgoing::Cut(Some(bytes.into()), Box::pin(sleep(BEFORE_CUT)))
    }

    pub(crate) fn trickle() -> Outgoing {
        Outgoing::Trickle(Box::pin(sleep(Duration::ZERO)))
    }

    pub(crate) fn huge(bytes: u64) -> Outgoing {
        Outgoing::Huge {
            left: bytes,
            started: false,
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let data = |bytes: Bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match self.get_mut() {
            Outgoing::Whole(bytes) => match bytes.take() {
                Some(bytes) if !bytes.is_empty() => data(bytes),
                _ => Poll::Ready(None),
            },
            Outgoing::Cut(bytes, pause) => match bytes.take() {
                Some(bytes) if !bytes.is_empty() => data(bytes),
                _ => pause.as_mut().poll(cx).map(|()| Some(Err(CutOff))),
            },
            Outgoing::Trickle(pause) => match pause.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    pause.set(sleep(BETWEEN_BYTES));
                    data(Bytes::from_static(b" "))
                }
            },
            Outgoing::Huge { started, .. } if !*started => {
                *started = true;
                data(Bytes::from_static(b"{\"entries\":[],\"padding\":\""))
            }
            Outgoing::Huge { left: 0, .. } => Poll::Ready(None),
            Outgoing::Huge { left, .. } => {
                let chunk = CHUNK.min(*left);
                *left -= chunk;
                let mut bytes = vec![b'x'; chunk as usize];
                if *left == 0 {
                    bytes.extend_from_slice(b"\"}");
                }
                data(bytes.into())
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Outgoing::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            _ => SizeHint::default(),
        }
    }
}
