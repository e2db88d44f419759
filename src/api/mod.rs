//! Talking to AWeber, from the wire up: the transport, the rate limit and the clocks, what to do after each answer, the
//! paced client, trading grants for tokens, the credential, and the session that the job asks through.

pub(crate) mod transport;

pub(crate) mod handshake;

pub(crate) mod clock;
mod pacing;
mod request_log;

mod attempts;
pub(crate) mod reaction;

pub(crate) mod client;

pub(crate) mod signature;

pub(crate) mod exchange;

pub(crate) mod bearer;
pub(crate) mod credential;
pub(crate) mod oauth1;

mod sent;

mod requests;

pub(crate) mod session;
