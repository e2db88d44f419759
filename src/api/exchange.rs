//! Trading a grant for tokens, and storing them as one piece of work that nothing interrupts. The one request whose
//! repetition needs thought: AWeber issues a new refresh token with each answer and may revoke the old one at once. The
//! protocol is in `docs/design.md`, 'Tokens'.

use super::attempts::Failed;
use super::client::{Client, random_byte};
use super::clock::Clock;
use super::oauth1::bad_timestamp;
use super::signature::{Signed, Signer, Stamp};
use super::transport::{Fault, Reply, Transport, basic};
use crate::error::{Error, Kind, Result};
use crate::secret::{ExposeSecret, SecretString};
use crate::token::answer::{self, Renewal, TokenAnswer};
use crate::token::grant::Grant;
use crate::token::journal::Journal;
use crate::token::model::TokenFile;
use crate::token::signed_answer::read_signed_answer;
use crate::token::store::TokenStore;
use crate::token::unparsed::UnparsedAnswers;
use chrono::Utc;
use std::time::{Duration, Instant};

/// Where token requests go (AWeber API, section 1).
const TOKEN_PATH: &str = "/oauth2/token";

/// Where request tokens of OAuth 1.0a come from.
const REQUEST_TOKEN_PATH: &str = "/1.0/oauth/request_token";

/// Where a verifier of OAuth 1.0a is traded.
const ACCESS_TOKEN_PATH: &str = "/1.0/oauth/access_token";

/// New tokens, which are stored.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) tokens: TokenFile,
    /// How long the access token lives.
    pub(crate) life: Duration,
    /// When the request was sent.
    pub(crate) sent: Instant,
}

/// Trades `grant` for tokens and stores them in `store`, through every failure that can pass.
///
/// Errors: 77 grant dead, 78 client refused or blocked, 75 rate limit, 69 no usable answer, 74 cannot be stored (found
/// before the grant is spent, unless the disk breaks in between).
pub(crate) async fn exchange(
    client: &mut Client,
    store: &TokenStore,
    grant: &Grant,
    client_secret: Option<&SecretString>,
) -> Result<Issued> {
    let began = Instant::now();
    let mut attempts = client.attempts();
    let mut unparsed = UnparsedAnswers::default();
    let mut journal = store.prepare()?;
    loop {
        client.wait_for_turn().await?;
        let request = Request {
            authorization: authorization(client, grant, client_secret),
            transport: client.transport.clone(),
            grant: grant.clone(),
            client_secret: client_secret.cloned(),
            journal,
        };
        // Not cancelled by a signal: whatever the answer is, it is stored first.
        let slot = client.begin_request();
        let sent = request.send().await;
        client.end_request(slot, Instant::now());
        let failed = match sent? {
            Sent::Stored(issued) => {
                unparsed.remove_all();
                return Ok(issued);
            }
            Sent::NotGranted(answer, unused) => {
                journal = unused;
                match answer {
                    TokenAnswer::Unparsed { what, body } => {
                        if unparsed.is_new(&body) {
                            unparsed.keep(journal, body)?;
                        } else {
                            drop(journal);
                        }
                        journal = store.prepare().map_err(|e| unparsed.mention_in(e))?;
                        match grant.is_first() {
                            // A code works once.
                            true => Failed::Permanent(Error::new(Kind::Unavailable, what)),
                            // Some servers forgive the repetition of a refresh.
                            false => Failed::Transient(what),
                        }
                    }
                    other => failed(other, &mut client.clock),
                }
            }
        };
        let step = attempts.after(failed, began.elapsed(), random_byte());
        client
            .wait_before_repeating(step)
            .await
            .map_err(|error| unparsed.mention_in(error))?;
    }
}

/// What authenticates one attempt: a confidential client by id and secret, a verifier by a signature with the secret of
/// its request token. A public client sends its id in the form and never a secret (AWeber API, section 1 'Token').
fn authorization(
    client: &Client,
    grant: &Grant,
    client_secret: Option<&SecretString>,
) -> Option<Signed> {
    let Grant::Verifier(verified) = grant else {
        return client_secret.map(|secret| Signed {
            header: basic(grant.client_id(), secret),
            signature: SecretString::default(),
        });
    };
    let signer = Signer {
        consumer_key: verified.client.id.clone(),
        consumer_secret: verified.client_secret.clone(),
        token: Some((
            verified.request_token.clone(),
            verified.request_secret.clone(),
        )),
    };
    let verifier = [("oauth_verifier", verified.verifier.expose_secret())];
    signed(client, &signer, ACCESS_TOKEN_PATH, &verifier)
}

/// The signed header of a POST to that path of the authorization server.
fn signed(client: &Client, signer: &Signer, path: &str, extra: &[(&str, &str)]) -> Option<Signed> {
    // Without a URL nothing is sent: the request fails for the same reason.
    let url = client.transport.auth_url(path).ok()?;
    Some(signer.sign("POST", &url, extra, &Stamp::at(client.clock.signing_time())))
}

/// Asks for a request token of OAuth 1.0a, to be authorized out of band; returns it with its secret.
///
/// Errors: 78 client refused or blocked, 75 rate limit, 69 no usable answer.
pub(crate) async fn request_token(
    client: &mut Client,
    signer: &Signer,
) -> Result<(SecretString, SecretString)> {
    let began = Instant::now();
    let mut attempts = client.attempts();
    loop {
        let signed = signed(
            client,
            signer,
            REQUEST_TOKEN_PATH,
            &[("oauth_callback", "oob")],
        );
        let header = signed.as_ref().map(|signed| &signed.header);
        let answer = match client.post_form(REQUEST_TOKEN_PATH, &[], header).await? {
            Ok(reply) => {
                client.clock.note(&reply);
                let mut secrets = vec![&signer.consumer_secret];
                secrets.extend(signed.as_ref().map(|signed| &signed.signature));
                read_signed_answer(reply.status, reply.body, reply.date, &secrets)
            }
            Err(fault) => match fault.untrusted_certificate() {
                Some(error) => TokenAnswer::Refused(error),
                None => TokenAnswer::Transient(fault.what),
            },
        };
        let failed = match answer {
            TokenAnswer::Granted(Renewal {
                access_token,
                refresh_token: Some(secret),
                ..
            }) => return Ok((access_token, secret)),
            other => failed(other, &mut client.clock),
        };
        let step = attempts.after(failed, began.elapsed(), random_byte());
        client.wait_before_repeating(step).await?;
    }
}

fn failed(answer: TokenAnswer, clock: &mut Clock) -> Failed {
    match answer {
        TokenAnswer::BadTimestamp(answered, date) => bad_timestamp(answered, date, clock),
        TokenAnswer::RateLimited => {
            Failed::RateLimited("AWeber answered 'Rate Limit Error' to a token request".to_owned())
        }
        TokenAnswer::Refused(error) => Failed::Permanent(error),
        TokenAnswer::Transient(what) | TokenAnswer::Unparsed { what, .. } => {
            Failed::Transient(what)
        }
        TokenAnswer::Granted(_) => Failed::Transient("AWeber returned no refresh token".to_owned()),
    }
}

/// One token request, with all it takes to send it and to store what comes back.
struct Request {
    transport: Transport,
    grant: Grant,
    client_secret: Option<SecretString>,
    authorization: Option<Signed>,
    journal: Journal,
}

/// How a token request ended.
enum Sent {
    Stored(Issued),
    /// Nothing was granted; the journal is still reserved.
    NotGranted(TokenAnswer, Journal),
}

impl Request {
    /// Runs as a task of its own: the runtime turns to it straight from the task that read the last byte off the
    /// socket, so that no system call comes between that and the write; and cancelling the caller does not cancel the
    /// storing of the tokens. Errors: 74, the new tokens could not be stored as they should.
    async fn send(self) -> Result<Sent> {
        match tokio::spawn(self.send_and_store()).await {
            Ok(sent) => sent,
            Err(e) => match e.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::new(Kind::LocalIo, "the token request was cut off")),
            },
        }
    }

    async fn send_and_store(self) -> Result<Sent> {
        let (sent_at, sent) = (Utc::now().timestamp(), Instant::now());
        let answer = match self.post().await {
            Ok(reply) => {
                let mut secrets = self.grant.secrets();
                secrets.extend(&self.client_secret);
                secrets.extend(self.authorization.as_ref().map(|signed| &signed.signature));
                let (status, body) = (reply.status, reply.body);
                match &self.grant {
                    Grant::Verifier(_) => read_signed_answer(status, body, reply.date, &secrets),
                    grant => answer::read_answer(status, body, &secrets, grant.is_first()),
                }
            }
            Err(fault) => match fault.untrusted_certificate() {
                Some(error) => TokenAnswer::Refused(error),
                None => answer::read_cut_off(fault.what, fault.arrived),
            },
        };
        let TokenAnswer::Granted(renewal) = answer else {
            if let TokenAnswer::Unparsed { body, .. } = &answer {
                self.journal.note_unparsed(body);
            }
            return Ok(Sent::NotGranted(answer, self.journal));
        };
        let Some(tokens) = self.grant.tokens(&renewal, sent_at) else {
            return Ok(Sent::NotGranted(
                TokenAnswer::Granted(renewal),
                self.journal,
            ));
        };
        self.journal.store(&tokens)?;
        Ok(Sent::Stored(Issued {
            tokens,
            life: Duration::from_secs(renewal.expires_in),
            sent,
        }))
    }

    async fn post(&self) -> std::result::Result<Reply, Fault> {
        let fields = self.grant.form();
        let mut form: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.expose_secret()))
            .collect();
        let header = self.authorization.as_ref().map(|signed| &signed.header);
        if header.is_none() {
            form.push(("client_id", self.grant.client_id()));
        }
        let path = match self.grant {
            Grant::Verifier(_) => ACCESS_TOKEN_PATH,
            _ => TOKEN_PATH,
        };
        self.transport.post_form(path, &form, header).await
    }
}
