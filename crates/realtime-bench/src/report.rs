//! The results: a table for people, JSON for programs, a plot for both.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use serde_json::json;

use crate::{
    figures::{ACCEPT, COLUMNS, CPU, Column, Figures, MEMORY, RATE},
    options::{Options, Result},
    stats::{median, spread},
};

/// Everything that was measured, in the order measured.
#[derive(Default)]
pub(crate) struct Report {
    cases: Vec<Measured>,
    /// By case: the servers that this machine can't run, each with the reason.
    absent: BTreeMap<String, Vec<(&'static str, String)>>,
}

pub(crate) struct Measured {
    case: String,
    reference: String,
    /// By server, one entry for each round.
    runs: BTreeMap<String, Vec<Figures>>,
    servers: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, case: &str, server: &str, reference: &str, figures: Figures) {
        let measured = match self.cases.iter_mut().position(|measured| measured.case == case) {
            Some(at) => &mut self.cases[at],
            None => {
                let (case, reference) = (case.to_owned(), reference.to_owned());
                self.cases.push(Measured { case, reference, runs: BTreeMap::new(), servers: Vec::new() });
                let last = self.cases.len() - 1;
                &mut self.cases[last]
            }
        };
        if !measured.servers.iter().any(|known| known == server) {
            measured.servers.push(server.to_owned());
        }
        measured.runs.entry(server.to_owned()).or_default().push(figures);
    }

    /// A server that belongs to a case, and can't be run on this machine or to the end.
    pub(crate) fn add_absent(&mut self, case: &str, server: &'static str, why: &str) {
        self.absent.entry(case.to_owned()).or_default().push((server, why.to_owned()));
    }

    /// Whether it is known that a server can't run in a case.
    pub(crate) fn is_absent(&self, case: &str, server: &str) -> bool {
        self.absent.get(case).into_iter().flatten().any(|(absent, _)| *absent == server)
    }

    /// Takes the figures of an entrant back.
    pub(crate) fn forget_entrant(&mut self, case: &str, server: &str) {
        if let Some(measured) = self.cases.iter_mut().find(|measured| measured.case == case) {
            measured.runs.remove(server);
            measured.servers.retain(|known| known != server);
        }
    }

    /// Takes a case back that could not be measured to its end.
    pub(crate) fn forget(&mut self, case: &str) {
        self.cases.retain(|measured| measured.case != case);
    }

    /// What was measured in a case, if it was run.
    pub(crate) fn case(&self, name: &str) -> Option<&Measured> {
        self.cases.iter().find(|measured| measured.case == name)
    }

    /// Prints the table, and writes it with the JSON and the plot to the folder of the options.
    pub(crate) fn write(&self, options: &Options, targets: &str) -> Result<()> {
        fs::create_dir_all(&options.out)?;
        let table = self.table() + targets + &self.completeness();
        println!("{table}");
        fs::write(options.out.join("table.md"), &table)?;
        fs::write(options.out.join("results.json"), serde_json::to_string_pretty(&self.json())? + "\n")?;
        fs::write(options.out.join("plot.svg"), self.plot())?;
        println!("written: table.md, results.json and plot.svg in {}", options.out.display());
        let (missing, duplicated, out_of_order) = self.incomplete();
        if missing + duplicated + out_of_order > 0 {
            return Err("not every subscriber got every message once and in order; the figures mean nothing".into());
        }
        Ok(())
    }

    fn incomplete(&self) -> (u64, u64, u64) {
        let all = self.cases.iter().flat_map(|measured| measured.runs.values().flatten());
        all.fold((0, 0, 0), |sum, f| (sum.0 + f.missing, sum.1 + f.duplicated, sum.2 + f.out_of_order))
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for measured in &self.cases {
            let _ = write!(text, "\n## {}\n\n| server |", measured.case);
            let shown: Vec<&Column> = COLUMNS.iter().filter(|column| measured.has(column.1)).collect();
            for (name, _) in &shown {
                let _ = write!(text, " {name} | x {} |", measured.reference);
            }
            let _ = writeln!(text, "\n|---|{}", "---:|---:|".repeat(shown.len()));
            for server in measured.in_order() {
                let _ = write!(text, "| {server} |");
                for (_, figure) in &shown {
                    let values = measured.values(server, *figure);
                    if values.is_empty() {
                        text.push_str(" - | - |");
                        continue;
                    }
                    let ratios = measured.ratios(server, &measured.reference, *figure);
                    let (low, high) = spread(&ratios);
                    let ratio = if !median(&ratios).is_finite() {
                        "-".to_owned()
                    } else {
                        format!("{:.2} ({low:.2}-{high:.2})", median(&ratios))
                    };
                    let _ = write!(text, " {} | {ratio} |", number(median(&values)));
                }
                text.push('\n');
            }
            for (server, why) in self.absent.get(&measured.case).into_iter().flatten() {
                let _ = writeln!(text, "| {server} | did not run: {why} |{}", " |".repeat(shown.len() * 2 - 1));
            }
        }
        text
    }

    fn completeness(&self) -> String {
        let received: u64 =
            self.cases.iter().flat_map(|measured| measured.runs.values().flatten()).map(|f| f.received).sum();
        let (missing, duplicated, out_of_order) = self.incomplete();
        format!(
            "\nOf {received} deliveries: {missing} missing, {duplicated} duplicated, {out_of_order} out of order.\n"
        )
    }

    fn json(&self) -> serde_json::Value {
        let cases = self.cases.iter().map(|measured| {
            let absent: BTreeMap<_, _> = self.absent.get(&measured.case).into_iter().flatten().cloned().collect();
            json!({"case": measured.case, "reference": measured.reference, "runs": measured.runs, "absent": absent})
        });
        json!({ "cases": cases.collect::<Vec<_>>() })
    }

    /// One bar per server and case, as a multiple of the reference: the first figure that the case has.
    fn plot(&self) -> String {
        const WIDTH: f64 = 900.0;
        const LEFT: f64 = 240.0;
        const BAR: f64 = 14.0;
        const GAP: f64 = 26.0;
        let mut body = String::new();
        let mut y = 30.0;
        for measured in &self.cases {
            let wanted = [CPU, MEMORY, ACCEPT, RATE];
            let Some((name, figure)) = wanted.iter().find(|column| measured.has(column.1)) else { continue };
            let _ = write!(
                body,
                "<text x='10' y='{y}' class='h'>{}: {name}, as a multiple of {}</text>",
                measured.case, measured.reference
            );
            y += 8.0;
            let bars: Vec<_> = measured
                .in_order()
                .into_iter()
                .map(|server| (server, median(&measured.ratios(server, &measured.reference, *figure))))
                .collect();
            let longest = bars.iter().map(|bar| bar.1).filter(|ratio| ratio.is_finite()).fold(1.0, f64::max);
            for (server, ratio) in bars {
                if !ratio.is_finite() {
                    continue;
                }
                let width = (WIDTH - LEFT - 80.0) * ratio / longest;
                let class = if server == "realtime" { "ours" } else { "bar" };
                let _ = write!(
                    body,
                    "<text x='{}' y='{}' text-anchor='end'>{server}</text><rect class='{class}' x='{LEFT}' y='{y}' width='{width:.1}' height='{BAR}'/><text x='{:.1}' y='{}'>{ratio:.2}</text>",
                    LEFT - 8.0,
                    y + 11.0,
                    LEFT + width + 6.0,
                    y + 11.0
                );
                y += BAR + 4.0;
            }
            y += GAP;
        }
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {y}' font-family='sans-serif' font-size='12'>\
             <style>.h{{font-weight:bold}}.bar{{fill:#9aa7b0}}.ours{{fill:#2f7d5b}}</style>\
             <rect width='100%' height='100%' fill='white'/>{body}</svg>\n"
        )
    }
}

impl Measured {
    fn has(&self, figure: fn(&Figures) -> Option<f64>) -> bool {
        self.runs.values().flatten().any(|figures| figure(figures).is_some())
    }

    /// The reference first, then as listed.
    fn in_order(&self) -> Vec<&str> {
        let mut servers: Vec<_> = self.servers.iter().map(String::as_str).collect();
        servers.sort_by_key(|server| (*server != self.reference, *server != "realtime"));
        servers
    }

    /// Who was compared, in the order measured first.
    pub(crate) fn entrants(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(String::as_str)
    }

    /// A figure of an entrant, round by round.
    pub(crate) fn values(&self, server: &str, figure: fn(&Figures) -> Option<f64>) -> Vec<f64> {
        self.runs.get(server).into_iter().flatten().filter_map(figure).collect()
    }

    /// A figure as a multiple of another entrant's, round by round, so that the load of the machine, which both had, cancels out.
    pub(crate) fn ratios(&self, server: &str, to: &str, figure: fn(&Figures) -> Option<f64>) -> Vec<f64> {
        let reference = self.values(to, figure);
        self.values(server, figure).iter().zip(reference).map(|(value, reference)| value / reference).collect()
    }
}

fn number(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
