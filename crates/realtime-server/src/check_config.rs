//! The command `check-config`: everything that is wrong with a config, and whom a change of its message contract breaks.

use std::{
    error::Error,
    fmt, fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use realtime_contract::{
    Binding, Contract,
    compat::{Evolve, compare},
};
use serde::Deserialize;

use crate::{
    cli::{File, ignored_line},
    config::{Config, ConfigError, Draft, Problem},
};

/// The config, and the contract to compare it with.
#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    #[command(flatten)]
    file: File,
    /// Compare the message contract with an earlier one: its config file, or the folder that `schemas` wrote. Prints
    /// whom each change breaks, readers or writers, with an example, and exits with 1 if one breaks a side that --evolve
    /// does not allow, or it can't tell.
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// Who is updated before the server, and so may break.
    #[arg(long, value_name = "WHO", requires = "against", default_value = "both")]
    evolve: Order,
    /// Print the breaks, and exit with 0 all the same.
    #[arg(long, requires = "against")]
    force: bool,
}

/// The names of [`Evolve`] as a flag.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    /// Clients that receive messages know the new contract before the server: only writers must not break.
    ReadersFirst,
    /// Publishers know the new contract before the server: only readers must not break.
    WritersFirst,
    /// Neither is sure to be updated first: neither may break.
    Both,
}

impl From<Order> for Evolve {
    fn from(order: Order) -> Self {
        match order {
            Order::ReadersFirst => Self::ReadersFirst,
            Order::WritersFirst => Self::WritersFirst,
            Order::Both => Self::Both,
        }
    }
}

/// Changes of the contract that break somebody.
#[derive(Debug)]
struct Breaks(usize);

impl fmt::Display for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count) = self;
        write!(
            f,
            "{count} of the changes may break readers or writers of the messages; --evolve says who is updated first, \
             and --force accepts it"
        )
    }
}

impl Error for Breaks {}

/// `contract.json`, as `schemas` writes it.
#[derive(Deserialize)]
struct Written {
    topics: Vec<Binding>,
}

impl CheckConfig {
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        let draft = self.file.read(Vec::new())?;
        if let Some(line) = ignored_line(&draft) {
            eprintln!("note: {line}");
        }
        let places = draft.places();
        let config = draft.checked(|_| {})?;
        for warning in config.warnings() {
            eprintln!("warning: {}", places.place(warning));
        }
        for note in config.notes() {
            eprintln!("note: {note}");
        }
        if let Some(old) = &self.against {
            self.compare(old, &config)?;
        }
        println!("usable: {} on {}", self.file.shown(), config.server.listen);
        Ok(())
    }

    fn compare(&self, old: &Path, config: &Config) -> Result<(), Box<dyn Error>> {
        let (old, new) = (contract_at(old)?, config.contract()?.unwrap_or_default());
        let (changes, evolve) = (compare(&old, &new), Evolve::from(self.evolve));
        for change in &changes {
            println!("{change}");
        }
        if changes.is_empty() {
            println!("the message contract accepts what it accepted before");
        }
        let breaks = changes.iter().filter(|change| !evolve.permits(change)).count();
        if breaks == 0 || self.force { Ok(()) } else { Err(Breaks(breaks).into()) }
    }
}

/// The contract of a config file, or of a folder that `schemas` wrote.
fn contract_at(old: &Path) -> Result<Contract, Box<dyn Error>> {
    let wrong = |what: String| ConfigError::Problems(vec![Problem::new(format!("--against {}", old.display()), what)]);
    if !old.is_dir() {
        // Without the environment, which is that of the new one; so it may lack keys, and only its contract is looked at.
        let config = Draft::read(Some(old), [], [])?.finish()?;
        return Ok(config.contract()?.unwrap_or_default());
    }
    let path = old.join("contract.json");
    let text = fs::read_to_string(&path).map_err(|error| {
        wrong(format!("contract.json can't be read: {error}; give a config file, or the --out of `schemas`"))
    })?;
    let Written { topics } = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("contract.json is not as `schemas` wrote it: {error}")))?;
    Ok(Contract::load(topics, &old.join("schemas")).map_err(|faults| wrong(faults.to_string()))?)
}
