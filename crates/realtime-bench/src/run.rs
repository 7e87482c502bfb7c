//! Runs the cases: every entrant in turn, in an order that changes from round to round.

use std::time::Instant;

use tokio::task::LocalSet;

use crate::{
    cases::{self, Case},
    measure,
    options::{Options, Result},
    report::Report,
    servers::Server,
    targets::{self, TARGETS},
};

/// Runs every requested case, and writes the report.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut report = Report::default();
    let mut missing: Vec<(Server, Option<String>)> = Vec::new();
    for server in Server::ALL {
        let unwanted = !options.servers.is_empty() && !options.servers.iter().any(|name| name == server.name());
        if unwanted && !server.is_floor() {
            missing.push((server, None));
        } else if let Some(why) = server.missing(options) {
            println!("without {}: {why}", server.name());
            missing.push((server, Some(why)));
        }
    }
    let cases = cases::cases();
    let exact = cases.iter().any(|case| Some(&case.name) == options.only.as_ref());
    let wanted = |case: &&Case| match &options.only {
        Some(name) if exact => case.name == *name,
        Some(part) => case.name.contains(part.as_str()),
        None => !options.quick || options.history || cases::is_quick(&case.name),
    };
    let with_history = |case: &&Case| !options.history || case.has_history();
    let cases: Vec<_> = cases.iter().filter(wanted).filter(with_history).collect();
    if cases.is_empty() {
        return Err("no case has such a name".into());
    }
    let begun = Instant::now();
    let mut failed = Vec::new();
    'cases: for (at, case) in cases.iter().enumerate() {
        let mut entrants = Vec::new();
        for entrant in &case.entrants {
            match missing.iter().find(|(server, _)| *server == entrant.server) {
                None => entrants.push(entrant),
                Some((_, Some(why))) => report.add_absent(&case.name, entrant.label, why),
                Some((_, None)) => {}
            }
        }
        for round in 0..options.rounds() {
            for turn in 0..entrants.len() {
                let entrant = entrants[(turn + round) % entrants.len()];
                if report.is_absent(&case.name, entrant.label) {
                    continue;
                }
                eprint!(
                    "\r[{:4.0} s] case {} of {}: {}, round {} of {}, {}          ",
                    begun.elapsed().as_secs_f64(),
                    at + 1,
                    cases.len(),
                    case.name,
                    round + 1,
                    options.rounds(),
                    entrant.label
                );
                match LocalSet::new().run_until(measure::measure(entrant, options)).await {
                    Ok(figures) => report.add(&case.name, entrant.label, entrants[0].label, figures),
                    // The others can still be measured, and without ours or a reference the other cases.
                    Err(error) => {
                        failed.push(format!("{}, {}: {error}", case.name, entrant.label));
                        if Server::is_peer(entrant.label) {
                            report.forget_entrant(&case.name, entrant.label);
                            let error = error.to_string();
                            let error: Vec<_> = error.split_whitespace().collect();
                            report.add_absent(&case.name, entrant.label, &error.join(" "));
                        } else {
                            report.forget(&case.name);
                            continue 'cases;
                        }
                    }
                }
            }
        }
    }
    eprintln!("\r[{:4.0} s] done{:60}", begun.elapsed().as_secs_f64(), "");
    report.write(options, &targets::table(&targets::judge(&report, &TARGETS)))?;
    if failed.is_empty() { Ok(()) } else { Err(format!("without a figure: {}", failed.join("; ")).into()) }
}
