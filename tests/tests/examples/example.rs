//! An example as its README starts it: secrets in a folder, the real server with the example's config, and its programs.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use realtime_tests::{Browser, program, skip};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::OnceCell,
    time::{sleep, timeout},
};

/// Longest that a program may take to start, or a build.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running example: the folder where it was started, with its secrets and data, and its server.
pub(crate) struct Example {
    pub(crate) folder: TempDir,
    source: PathBuf,
    /// Where the server listens.
    pub(crate) port: u16,
    /// Where the example's own backend listens.
    pub(crate) page: u16,
    server: Child,
    programs: Vec<Child>,
}

impl Example {
    /// Starts the server of `examples/NAME`.
    pub(crate) async fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = folder.path().join("secrets");
        fs::create_dir(&secrets).expect("a folder");
        for name in ["tokens", "hooks", "api", "django"] {
            fs::write(secrets.join(name), format!("{name}-secret-of-the-tests-0123456789abcdef\n")).expect("a file");
        }
        let source = root().join("examples").join(name);
        let [port, page] = [free_port(), free_port()];
        let server = serve(&source, folder.path(), port, page);
        let example = Self { folder, source, port, page, server, programs: Vec::new() };
        example.ready().await;
        example
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.server.kill().await.expect("it ran");
    }

    /// A new start on the same port.
    pub(crate) async fn restart(&mut self) {
        self.server = serve(&self.source, self.folder.path(), self.port, self.page);
        self.ready().await;
    }

    /// A new start without what the server had stored.
    pub(crate) async fn restart_empty(&mut self) {
        fs::remove_dir_all(self.folder.path().join("data")).expect("the data are there");
        self.restart().await;
    }

    async fn ready(&self) {
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().expect("an HTTP client");
        let ready = async {
            let url = format!("http://127.0.0.1:{}/readyz", self.port);
            while !http.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, ready).await.expect("the server is ready in time");
    }

    /// A program of the example, in the folder with the secrets, with the ports in its environment.
    pub(crate) fn command(&self, interpreter: &Path, file: &str) -> Command {
        let mut command = Command::new(interpreter);
        command
            .arg(self.source.join(file))
            .current_dir(self.folder.path())
            .env("PORT", self.page.to_string())
            .env("REALTIME_URL", format!("ws://127.0.0.1:{}/ws", self.port))
            .env("REALTIME_API", format!("http://127.0.0.1:{}", self.port));
        command
    }

    /// Starts a program, and waits until it prints a line with `word`. It runs as long as the example.
    pub(crate) async fn run(&mut self, mut command: Command, word: &str) {
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let started = async {
            while !lines.next_line().await.expect("its output").expect("a program that runs").contains(word) {}
        };
        timeout(DEADLINE, started).await.expect("started in time");
        // Nothing else reads it, and a full pipe would stop the program.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.programs.push(process);
    }

    /// The address of a page of the example's backend.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.page)
    }
}

fn serve(source: &Path, folder: &Path, port: u16, page: u16) -> Child {
    Command::new(env!("CARGO_BIN_EXE_realtime-server-under-test"))
        .arg("serve")
        .arg("--config")
        .arg(source.join("realtime.toml"))
        .args(["--log-level", "error"])
        .current_dir(folder)
        .env_clear()
        .env("REALTIME_SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("REALTIME_SERVER__ALLOWED_ORIGINS", format!("http://localhost:{page}"))
        .env("REALTIME_PRESENCE__GRACE", "300ms")
        .envs(
            fs::read_to_string(source.join("realtime.toml"))
                .is_ok_and(|text| text.contains("[hooks]"))
                .then(|| ("REALTIME_HOOKS__URL", format!("http://127.0.0.1:{page}/hooks"))),
        )
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts")
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

/// Runs a command of a README to its end.
pub(crate) async fn succeed(command: &mut Command) {
    let output =
        timeout(DEADLINE, command.kill_on_drop(true).output()).await.expect("done in time").expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

/// Node, and our TypeScript client built once, unless something for it is missing.
pub(crate) async fn node(test: &str) -> Option<PathBuf> {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    let node = program(test, &["node", "nodejs"])?;
    let npm = program(test, &["npm"])?;
    let client = root().join("clients/typescript");
    if !client.join("node_modules/typescript").is_dir() {
        skip(test, "its packages are not installed; run `npm ci --prefix clients/typescript --ignore-scripts`");
        return None;
    }
    let build = async || succeed(Command::new(npm).args(["run", "--silent", "build"]).current_dir(client)).await;
    BUILT.get_or_init(build).await;
    Some(node)
}

/// Keeps pictures of a page as on a desk and as on a phone, light and dark, where `REALTIME_SCREENSHOTS` says.
pub(crate) async fn pictures(page: &mut Browser, name: &str) {
    let Some(folder) = std::env::var_os("REALTIME_SCREENSHOTS") else { return };
    for (width, height, device) in [(1200, 760, "desk"), (390, 780, "phone")] {
        page.resize(width, height).await;
        for (dark, colours) in [(false, "light"), (true, "dark")] {
            page.prefer_dark(dark).await;
            let file = Path::new(&folder).join(format!("{name}-{device}-{colours}.png.base64"));
            fs::write(file, page.screenshot().await).expect("a picture is written");
        }
    }
    page.prefer_dark(false).await;
}

/// On a phone nothing is wider than the screen.
pub(crate) async fn fits_a_phone(page: &mut Browser) {
    page.resize(360, 700).await;
    assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth").await, true, "wider than the screen");
    page.resize(1200, 760).await;
}
