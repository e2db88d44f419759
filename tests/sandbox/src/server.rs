//! The server: two listeners on loopback, served by one thread.

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

use crate::connection::{Connection, ResetFlag};
use crate::record::Origin;
use crate::respond::respond;
use crate::settings::Settings;
use crate::world::World;

/// A running sandbox AWeber, which shuts down on drop.
pub struct Sandbox {
    world: Arc<SharedWorld>,
    api_url: String,
    auth_url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) struct SharedWorld(Mutex<World>);

impl SharedWorld {
    /// Ignores poisoning: a test that panics while it holds the lock must not stop the server.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Starts with default settings: an account without lists, two clients, free ports.
    pub fn start() -> Sandbox {
        Sandbox::start_with(Settings::default())
    }

    /// Starts with these settings; panics on failure.
    pub fn start_with(settings: Settings) -> Sandbox {
        Sandbox::try_start(settings)
            .unwrap_or_else(|error| panic!("cannot start the sandbox: {error}"))
    }

    /// Starts with these settings; fails if a port is in use.
    pub fn try_start(settings: Settings) -> io::Result<Sandbox> {
        let (api, api_url) = listen(settings.port_api)?;
        let (auth, auth_url) = listen(settings.port_auth)?;
        let world = World::new(settings, api_url.clone(), auth_url.clone());
        let world = Arc::new(SharedWorld(Mutex::new(world)));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&world);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                // At the end of this function the runtime is dropped with all its connections.
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

    /// `http://127.0.0.1:OTHERPORT`: another origin, as at AWeber.
    pub fn auth_url(&self) -> String {
        self.auth_url.clone()
    }

    /// Reads or changes the world. No request is processed during the call.
    pub fn with<T>(&self, action: impl FnOnce(&mut World) -> T) -> T {
        action(&mut self.world.lock())
    }

    /// Waits until the condition is true; returns false if it is not within this time.
    pub fn wait_until(
        &self,
        time: Duration,
        mut condition: impl FnMut(&mut World) -> bool,
    ) -> bool {
        let end = Instant::now() + time;
        loop {
            if self.with(&mut condition) {
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
            // An error means that the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already, and drop must not panic.
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

async fn serve(origin: Origin, listener: TcpListener, world: Arc<SharedWorld>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(origin, stream, Arc::clone(&world)));
            }
            // The client has disconnected already or no file descriptor is free: try again.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(origin: Origin, stream: TcpStream, world: Arc<SharedWorld>) {
    // Without this, small answers would wait for the delayed acknowledgements of the kernel.
    let _ = stream.set_nodelay(true);
    let reset = ResetFlag::default();
    let stream = TokioIo::new(Connection::new(stream, reset.clone()));
    let service =
        service_fn(move |request| respond(Arc::clone(&world), origin, reset.clone(), request));
    // Errors are expected: clients disconnect, and faults close connections.
    let _ = http1::Builder::new()
        .header_read_timeout(None)
        .auto_date_header(false)
        .serve_connection(stream, service)
        .await;
}
