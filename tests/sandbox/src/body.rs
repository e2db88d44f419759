//! Bodies as they go out: whole, half, endless, huge.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

const PIECE: u64 = 64 * 1024;

/// Time for the first half to leave before the connection is cut.
const BEFORE_THE_CUT: Duration = Duration::from_millis(30);

/// Time between two bytes of the endless body.
const BETWEEN_BYTES: Duration = Duration::from_millis(10);

/// A body on its way out.
pub(crate) enum Outgoing {
    /// All of it at once.
    Whole(Option<Bytes>),
    /// This much, a pause, and then the connection is cut.
    Cut(Option<Bytes>, Pin<Box<Sleep>>),
    /// A byte now and then, for ever.
    Trickle(Pin<Box<Sleep>>),
    /// A JSON string of so many further bytes.
    Huge { left: u64, begun: bool },
}

/// The end of a body that was cut on purpose.
#[derive(Debug)]
pub(crate) struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut on purpose")
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
        Outgoing::Cut(Some(bytes.into()), Box::pin(sleep(BEFORE_THE_CUT)))
    }

    pub(crate) fn trickle() -> Outgoing {
        Outgoing::Trickle(Box::pin(sleep(Duration::ZERO)))
    }

    pub(crate) fn huge(bytes: u64) -> Outgoing {
        Outgoing::Huge {
            left: bytes,
            begun: false,
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
            Outgoing::Huge { begun, .. } if !*begun => {
                *begun = true;
                data(Bytes::from_static(b"{\"entries\":[],\"padding\":\""))
            }
            Outgoing::Huge { left: 0, .. } => Poll::Ready(None),
            Outgoing::Huge { left, .. } => {
                let piece = PIECE.min(*left);
                *left -= piece;
                let mut bytes = vec![b'x'; piece as usize];
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
