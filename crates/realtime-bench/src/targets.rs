//! The targets of this project, and whether a run meets them.

use std::fmt::Write as _;

use crate::{
    figures::{ACCEPT, CPU, Column, MEMORY, P99, PER_PUBLICATION, RATE},
    report::Report,
    servers::Server,
    stats::{median, spread},
};

/// What a figure is compared with.
pub(crate) enum Against {
    /// Another entrant of the same case, round by round.
    Entrant(&'static str),
    /// Every peer of the run, the worst of them for us.
    EveryPeer,
    /// Nothing: the figure itself.
    Itself,
}

/// A bound on a figure.
pub(crate) struct Target {
    case: &'static str,
    entrant: &'static str,
    figure: Column,
    against: Against,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// A target in a run: its name and bound, what was measured, and whether it is met.
pub(crate) struct Judged {
    pub(crate) what: String,
    pub(crate) bound: String,
    pub(crate) median: f64,
    pub(crate) spread: (f64, f64),
    pub(crate) met: bool,
}

const fn target(case: &'static str, entrant: &'static str, figure: Column, against: Against, bound: Bound) -> Target {
    Target { case, entrant, figure, against, bound }
}

/// The targets. `floor-long` is the lower bound with as many bytes per message as ours.
pub(crate) const TARGETS: [Target; 15] = {
    use Against::{Entrant, EveryPeer, Itself};
    use Bound::{AtLeast, AtMost};
    [
        target("fan-out 128B x1", "realtime", CPU, Entrant("floor-long"), AtMost(1.15)),
        target("fan-out 128B x1", "realtime", CPU, EveryPeer, AtMost(1.0)),
        target("fan-out 128B x16", "realtime", CPU, Entrant("floor-long"), AtMost(1.25)),
        target("fan-out 128B x64", "realtime", CPU, Entrant("floor-long"), AtMost(1.4)),
        target("topics 1000x1", "realtime", CPU, Entrant("floor-long"), AtMost(1.3)),
        target("topics 1000x1", "realtime", CPU, EveryPeer, AtMost(1.0)),
        target("rate 30k/s", "realtime", P99, EveryPeer, AtMost(1.0)),
        target("idle", "realtime", MEMORY, Itself, AtMost(2.0)),
        target("accept HS256", "realtime", ACCEPT, Entrant("handwritten"), AtMost(1.0)),
        target("two cores", "two", RATE, Entrant("one"), AtLeast(1.7)),
        target("stalled reader", "with", P99, Entrant("without"), AtMost(1.2)),
        target("history-x1", "realtime", PER_PUBLICATION, Entrant("without history"), AtMost(1.25)),
        target("history-x1000", "realtime", CPU, Entrant("without history"), AtMost(1.05)),
        target("publisher-under-recovery", "recovering", P99, Entrant("idle"), AtMost(3.0)),
        target("idle-history", "realtime", MEMORY, Itself, AtMost(2.0)),
    ]
};

/// Judges the targets whose case was run.
pub(crate) fn judge(report: &Report, targets: &[Target]) -> Vec<Judged> {
    targets.iter().filter_map(|target| target.judge(report)).collect()
}

impl Target {
    fn judge(&self, report: &Report) -> Option<Judged> {
        let case = report.case(self.case)?;
        let (name, figure) = self.figure;
        let ratios = |other: &str| case.ratios(self.entrant, other, figure);
        let (against, values) = match self.against {
            Against::Itself => (String::new(), case.values(self.entrant, figure)),
            Against::Entrant(other) => (format!(" / {other}"), ratios(other)),
            Against::EveryPeer => {
                let peers = case.entrants().filter(|label| Server::is_peer(label));
                let worst = peers.map(|peer| (peer, ratios(peer))).filter(|(_, ratios)| !ratios.is_empty());
                let (peer, ratios) = worst.max_by(|one, other| median(&one.1).total_cmp(&median(&other.1)))?;
                (format!(" / the best peer ({peer})"), ratios)
            }
        };
        if values.is_empty() {
            return None;
        }
        let median = median(&values);
        let (bound, met) = match self.bound {
            Bound::AtMost(most) => (format!("≤ {most}"), median <= most),
            Bound::AtLeast(least) => (format!("≥ {least}"), median >= least),
        };
        Some(Judged { what: format!("{}: {name}{against}", self.case), bound, median, spread: spread(&values), met })
    }
}

/// The targets, and whether the run meets each, as a table.
pub(crate) fn table(targets: &[Judged]) -> String {
    if targets.is_empty() {
        return String::new();
    }
    let mut text = "\n## Targets\n\n| what | target | median | spread | met |\n|---|---:|---:|---:|---|\n".to_owned();
    for Judged { what, bound, median, spread: (low, high), met } in targets {
        let met = if *met { "yes" } else { "no" };
        let _ = writeln!(text, "| {what} | {bound} | {median:.2} | {low:.2}-{high:.2} | {met} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    fn report(entries: &[(&'static str, &[f64])]) -> Report {
        let mut report = Report::default();
        for (label, values) in entries {
            for value in *values {
                let figures = Figures { cpu_us_per_delivery: Some(*value), ..Figures::default() };
                report.add("fan-out 128B x1", label, "floor", figures);
            }
        }
        report
    }

    #[test]
    fn a_target_is_met_or_missed_by_the_median_of_the_rounds() {
        let floor = [2.0, 2.0, 4.0];
        for (ours, met) in [([2.2, 2.0, 4.4], true), ([2.4, 2.0, 5.0], false)] {
            let report = report(&[("floor-long", &floor), ("realtime", &ours)]);
            let judged = judge(&report, &TARGETS);
            assert_eq!(judged.len(), 1, "no peer, no other case");
            assert_eq!(judged[0].met, met, "{}", judged[0].median);
        }
    }

    #[test]
    fn the_peer_that_is_hardest_to_beat_counts() {
        let report = report(&[("realtime", &[3.0]), ("nchan", &[4.0]), ("ws", &[2.5]), ("floor-long", &[1.0])]);
        let judged = judge(&report, &TARGETS);
        assert!(judged[1].what.ends_with("(ws)"), "{}", judged[1].what);
        assert_eq!((judged[1].median, judged[1].met), (1.2, false));
    }
}
