//! The commands, their flags, and their exit codes: 0 done, 1 failed, 2 not usable as called or configured.

use std::{error::Error, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Parser, Subcommand};
use realtime_adapters::{error_chain, local::SystemClock};
use realtime_ports::Clock;
use realtime_schema::{Grant, Permission, Role, UserId};
use tokio::{runtime::Handle, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::{
    check_config::CheckConfig,
    config::{Config, ConfigError, Draft, Problem, Span, reference},
    dev::Dev,
    explain::Explain,
    logging::{self, LogLevel},
    open_files,
    reload::{ReloadError, Reloaded, Reloader},
    schemas::Schemas,
    server::{Server, StartError},
    service_manager::{Change, notify},
    signals::Signals,
    token::TokenRequest,
};

/// The real-time server: a WebSocket endpoint for clients and an HTTP API for backends on one port.
#[derive(Debug, Parser)]
#[command(name = "realtime-server", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C, then close the connections so that clients reconnect elsewhere, and exit.
    ///
    /// SIGHUP reads the settings and the files with keys again and applies those that need no restart, whole or not at
    /// all; the log says which. Under systemd (Type=notify) the server says when it is ready, reloading and stopping.
    ///
    /// Settings come from the file, from REALTIME_… variables (REALTIME_LIMITS__CONNECTIONS is limits.connections)
    /// and from flags, each over the one before. Without --dev a verification key and an API key are required.
    Serve(Serve),
    /// Print a signed token on standard output, and nothing else.
    ///
    /// Signed with auth.hmac_secret, so it needs the config or the REALTIME_AUTH__HMAC_SECRET that the server has.
    /// For development and tests: in production your own backend issues tokens.
    Token(Token),
    /// Check a config without serving: print all its errors at once, or the warnings that serve would log.
    ///
    /// With --against, also whom the changes of the message contract (`messages` of the namespaces) break.
    CheckConfig(CheckConfig),
    /// Write a JSON Schema for every frame, command and body, and the OpenAPI document.
    ///
    /// With a config whose namespaces have `messages`, also the message contract: its JSON Schemas, an AsyncAPI document, and
    /// types for TypeScript and Python.
    Schemas(Schemas),
    /// Say why a user received a message, or did not: asks a running server.
    ///
    /// About a recent message by its id, or about a message that would be published now. Changes nothing. For each
    /// connection of the user it prints whether the message is for it, and why.
    ///
    /// With --follow: print what happens to a user or on a topic, while it happens, for a bounded time.
    ///
    /// Examples: `explain --user alice --message ID`, `explain --user alice --to topic:order:1`,
    /// `explain --follow --user alice`, `explain --follow --topic order:1 --seconds 300`.
    Explain(Explain),
    /// Print the reference of every setting as Markdown: its name, its default, what it means, and its variable.
    ConfigReference,
}

#[derive(Debug, Args)]
pub(crate) struct File {
    /// The TOML file with the settings.
    #[arg(long, value_name = "FILE", env = "REALTIME_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Serve {
    /// Generate the secrets that are required and not set, print lines to paste, and serve a live page. Not for production.
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    file: File,
    /// The address to listen on (server.listen), such as 127.0.0.1:8080; port 0 is any that is free.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// A second address, for /metrics without a key, /healthz and /readyz alone (server.admin_listen).
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// The directory that keeps histories, idempotency keys, revocations and users' topics over a restart (store.dir).
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Move what is in the data directory aside, within it, and begin an empty store.
    #[arg(long)]
    data_dir_reset: bool,
    /// What to log (log.level): error, warn, info, debug, trace, or a filter by module.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How to log (log.format): text or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Debug, Args)]
struct Token {
    /// The user (sub).
    #[arg(long, value_name = "ID")]
    user: UserId,
    /// A role; may be repeated.
    #[arg(long = "role", value_name = "R")]
    roles: Vec<Role>,
    /// A permission; may be repeated.
    #[arg(long = "permission", value_name = "P")]
    permissions: Vec<Permission>,
    /// What the user may do to which topics, such as subscribe:order:*; may be repeated.
    #[arg(long = "grant", value_name = "ACTION:PATTERN")]
    grants: Vec<Grant>,
    /// How long the token is valid, such as 90s, 15m or 1h.
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    ttl: Span,
    #[command(flatten)]
    file: File,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
        Command::CheckConfig(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Schemas(schemas) => schemas.run(),
        Command::ConfigReference => {
            print!("{}", reference());
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error_chain::one_line(&*error));
            let unusable = error.is::<ConfigError>() || matches!(error.downcast_ref(), Some(StartError::Config(_)));
            ExitCode::from(if unusable { 2 } else { 1 })
        }
    }
}

type Outcome = Result<(), Box<dyn Error>>;

/// Variables that are flags of a command and no settings.
const NO_SETTINGS: [&str; 3] = ["REALTIME_CONFIG", "REALTIME_URL", "REALTIME_API_KEY"];

impl File {
    /// Reads the layers: the file, the environment and `flags`.
    pub(crate) fn read(&self, flags: Vec<(&'static str, String)>) -> Result<Draft, ConfigError> {
        let (mut env, mut unreadable) = (Vec::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            if NO_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            match value.into_string() {
                Ok(value) => env.push((name, value)),
                Err(_) if name.starts_with("REALTIME_") => unreadable.push(Problem::new(name, "is not UTF-8")),
                Err(_) => {}
            }
        }
        if unreadable.is_empty() {
            Draft::read(self.config.as_deref(), env, flags)
        } else {
            Err(ConfigError::Problems(unreadable))
        }
    }

    /// Whether there is a file.
    pub(crate) fn is_given(&self) -> bool {
        self.config.is_some()
    }

    pub(crate) fn shown(&self) -> String {
        self.config.as_ref().map_or_else(|| "the environment".to_owned(), |path| path.display().to_string())
    }
}

/// Names the variables that look like settings and are Kubernetes' own.
pub(crate) fn ignored_line(draft: &Draft) -> Option<String> {
    let names = draft.service_links();
    let first = names.first()?;
    Some(format!("ignored {} variables that Kubernetes sets for services, such as {first}", names.len()))
}

impl Serve {
    fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(self.serve());
        // A file that is still being read does not hold up the end.
        runtime.shutdown_background();
        outcome
    }

    /// Reads the config and starts the log.
    fn load(&self) -> Result<(Config, Option<LogLevel>), ConfigError> {
        let draft = self.read()?;
        let ignored = ignored_line(&draft);
        let config = self.checked(draft)?;
        let log = logging::start(&config.log);
        if let Some(line) = ignored {
            tracing::info!("{line}");
        }
        if let Some(files) = open_files::raise() {
            tracing::debug!(files, "raised the limit of open files");
        }
        Ok((config, log))
    }

    async fn serve(self) -> Outcome {
        // Before anything else: a SIGHUP without a handler ends the process.
        let mut signals = Signals::listen()?;
        let serve = Arc::new(self);
        let start = async {
            let reads = serve.clone();
            // A file that does not end must not keep SIGTERM from ending the process.
            let (config, log) = spawn_blocking(move || reads.load()).await??;
            if serve.data_dir_reset {
                reset_store(&config).await?;
            }
            let bound = if serve.dev { Server::bind_dev(config).await } else { Server::bind(config).await };
            Ok::<_, Box<dyn Error>>((bound?, log))
        };
        let (server, log) = tokio::select! {
            started = start => started?,
            () = signals.stop() => return Ok(()),
        };
        if let Some(dev) = server.dev() {
            let now = SystemClock::default().now();
            println!("{}", dev.greeting(server.config(), server.local_addr(), now)?);
        }
        // Clients that connect from here on wait in the listener's backlog.
        notify(Change::Ready);
        let reloader = match log {
            Some(log) => server.reloader().with_log(log),
            None => server.reloader(),
        };
        let reload = move || {
            let (serve, reloader) = (serve.clone(), reloader.clone());
            async move {
                notify(Change::Reloading);
                // Files are read: a slow disk must not hold up a thread that serves connections.
                let runtime = Handle::current();
                drop(spawn_blocking(move || runtime.block_on(serve.reload(&reloader))).await);
                notify(Change::Ready);
            }
        };
        let shutdown = CancellationToken::new();
        tokio::spawn(signals.run(shutdown.clone(), reload));
        server.run(shutdown).await?;
        Ok(())
    }

    /// Reads the layers again and applies them. Logs the result.
    async fn reload(&self, reloader: &Reloader) {
        let read = self.read().and_then(|draft| self.checked(draft));
        let reloaded = match read {
            Ok(config) => reloader.reload(config).await,
            Err(error) => Err(error.into()),
        };
        match reloaded {
            Ok(Reloaded { applied, needs_restart, .. }) => {
                if !needs_restart.is_empty() {
                    let settings = needs_restart.join(", ");
                    tracing::warn!(settings, "these settings changed and need a restart; the old values stay in use");
                }
                let applied = if applied.is_empty() { "none".to_owned() } else { applied.join(", ") };
                tracing::info!(
                    changed_settings = applied,
                    "reloaded the config, and read the files with keys and secrets again"
                );
            }
            Err(ReloadError::Config(ConfigError::Problems(problems))) => {
                for problem in problems {
                    tracing::error!("{problem}");
                }
                tracing::error!("the new config is not usable: nothing was reloaded");
            }
            Err(error) => tracing::error!("{}: nothing was reloaded", error_chain::one_line(&error)),
        }
    }

    fn read(&self) -> Result<Draft, ConfigError> {
        let flags = [
            ("server.listen", &self.listen),
            ("server.admin_listen", &self.admin_listen),
            ("store.dir", &self.data_dir),
            ("log.level", &self.log_level),
            ("log.format", &self.log_format),
        ];
        self.file.read(flags.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect())
    }

    fn checked(&self, draft: Draft) -> Result<Config, ConfigError> {
        draft.checked(|config| {
            if self.dev {
                Dev::complete(config);
            }
        })
    }
}

/// Moves the store aside, and logs where to.
async fn reset_store(config: &Config) -> Outcome {
    if config.store.dir.is_none() {
        return Err("--data-dir-reset needs --data-dir or store.dir".into());
    }
    let store = config.store.clone();
    match spawn_blocking(move || store.reset()).await?.map_err(StartError::Store)? {
        Some(path) => tracing::warn!(path = %path.display(), "moved the store aside; an empty one begins"),
        None => tracing::info!("there is no store to move aside"),
    }
    Ok(())
}

impl Token {
    fn run(self) -> Outcome {
        let config = self.file.read(Vec::new())?.finish()?;
        let Self { user, roles, permissions, grants, ttl, .. } = self;
        let request = TokenRequest { user, roles, permissions, grants, ttl };
        println!("{}", request.sign(&config, SystemClock::default().now())?);
        Ok(())
    }
}
