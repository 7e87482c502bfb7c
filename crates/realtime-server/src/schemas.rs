//! The command `schemas`: the protocol as files, and the application's message contract.

use std::{error::Error, fs, path::PathBuf};

use clap::Args;
use realtime_contract::generate;
use realtime_schema::{catalog, openapi};

use crate::cli::File;

/// Where to write, and the contract.
#[derive(Debug, Args)]
pub(crate) struct Schemas {
    /// The folder to write to; it is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    file: File,
    /// The title of asyncapi.json.
    #[arg(long, value_name = "TEXT", default_value = "Messages")]
    title: String,
    /// The version of your messages, for asyncapi.json.
    #[arg(long, value_name = "VERSION", default_value = "1.0.0")]
    contract_version: String,
}

impl Schemas {
    /// Writes the files, and prints what was written. What a language can't express is a warning.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        // Before anything is written.
        let contract = match self.file.is_given() {
            true => self.file.read(Vec::new())?.finish()?.contract()?,
            false => None,
        };
        let entries = catalog();
        let count = entries.len();
        let protocol = entries.into_iter().map(|entry| (format!("{}.schema.json", entry.name), entry.schema));
        let protocol = protocol.chain([("openapi.json".to_owned(), openapi(env!("CARGO_PKG_VERSION")))]);
        for (name, json) in protocol {
            self.write(&name, &(serde_json::to_string_pretty(&json)? + "\n"))?;
        }
        println!("{count} schemas and openapi.json in {}", self.out.display());
        let Some(contract) = contract else { return Ok(()) };
        let generate::Output { files, warnings } = generate::all(&contract, &self.title, &self.contract_version);
        for (name, text) in &files {
            self.write(name, text)?;
        }
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        let others = files.keys().filter(|name| !name.contains('/')).map(String::as_str);
        println!("the message contract: schemas/, {}", others.collect::<Vec<_>>().join(", "));
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.out.join(name);
        let folder = path.parent().unwrap_or(&self.out);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}
