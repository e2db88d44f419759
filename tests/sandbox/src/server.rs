//! The server: two listeners on loopback in a thread of their own, each request recorded, disturbed if so ordered,
//! worked on under the world's lock, and answered.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::record::Origin;
use crate::respond::respond;
use crate::settings::Settings;
use crate::wire::{Fate, Wire};
use crate::world::World;

/// A running sandbox AWeber. On drop it shuts down.
pub struct Sandbox {
    world: Arc<Shared>,
    api_url: String,
    auth_url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The world behind its lock.
pub(crate) struct Shared(Mutex<World>);

impl Shared {
    /// A test that panicked while it held the lock does not take the server down with it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Starts with the default settings: an account without lists, two clients, free ports.
    pub fn start() -> Sandbox {
        Sandbox::start_with(Settings::default())
    }

    /// Starts; panics if it cannot, as a test wants it.
    pub fn start_with(settings: Settings) -> Sandbox {
        Sandbox::try_start(settings)
            .unwrap_or_else(|error| panic!("the sandbox cannot start: {error}"))
    }

    /// Starts, or says why not: a port that is taken.
    pub fn try_start(settings: Settings) -> io::Result<Sandbox> {
        let (api, api_url) = listen(settings.port_api)?;
        let (auth, auth_url) = listen(settings.port_auth)?;
        let world = World::new(settings, api_url.clone(), auth_url.clone());
        let world = Arc::new(Shared(Mutex::new(world)));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&world);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                // When this ends the runtime is dropped, and with it every connection.
                runtime.block_on(async move {
                    tokio::select! {
                        result = serve(Origin::Api, api, Arc::clone(&served)) => report(result),
                        result = serve(Origin::Auth, auth, served) => report(result),
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Sandbox {
            world,
            api_url,
            auth_url,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`, without `/1.0`.
    pub fn api_url(&self) -> String {
        self.api_url.clone()
    }

    /// `http://127.0.0.1:OTHERPORT`. Another origin: a token that goes to the wrong one is noticed.
    pub fn auth_url(&self) -> String {
        self.auth_url.clone()
    }

    /// Looks at the world or changes it; no request is worked on meanwhile.
    pub fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock())
    }

    /// Waits until the world is as described: whether it came to be within this time.
    pub fn wait_until(&self, time: Duration, mut is_so: impl FnMut(&mut World) -> bool) -> bool {
        let end = Instant::now() + time;
        loop {
            if self.with(&mut is_so) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens any more if the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been printed; dropping must not panic a second time.
            let _ = thread.join();
        }
    }
}

fn listen(port: u16) -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

fn report(result: io::Result<()>) {
    if let Err(error) = result {
        eprintln!("sandbox: a listener failed: {error}");
    }
}

async fn serve(origin: Origin, listener: TcpListener, world: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(origin, stream, Arc::clone(&world)));
            }
            // A client that left before it was accepted, or no free descriptor: neither ends the server.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(origin: Origin, stream: TcpStream, world: Arc<Shared>) {
    // Small answers leave at once; without it the fault tests would measure the kernel's patience.
    let _ = stream.set_nodelay(true);
    let fate = Fate::default();
    let wire = TokioIo::new(Wire::new(stream, fate.clone()));
    let service =
        service_fn(move |request| respond(Arc::clone(&world), origin, fate.clone(), request));
    // An error here is a client that left or a connection cut on purpose.
    let _ = http1::Builder::new()
        .header_read_timeout(None)
        .auto_date_header(false)
        .serve_connection(wire, service)
        .await;
}
