//! What the project has set itself, and how far a run meets it.

use crate::{
    report::{Column, Figures, Report},
    servers::Server,
    stats::{median, spread},
};

/// What a figure is held against.
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

/// How a run stands to a target: the target's name and bound, what was measured, and whether it is met.
pub(crate) struct Judged {
    pub(crate) what: String,
    pub(crate) bound: String,
    pub(crate) median: f64,
    pub(crate) spread: (f64, f64),
    pub(crate) met: bool,
}

const CPU: Column = ("CPU per delivery", |f: &Figures| f.cpu_us_per_delivery);
const RATE: Column = ("deliveries/s", |f: &Figures| f.deliveries_per_s);
const P99: Column = ("p99 latency", |f: &Figures| f.latency_us.map(|latency| latency[1]));
const MEMORY: Column = ("KiB per connection", |f: &Figures| f.kib_per_connection);
const ACCEPT: Column = ("CPU per accept", |f: &Figures| f.cpu_us_per_accept);

const fn target(case: &'static str, entrant: &'static str, figure: Column, against: Against, bound: Bound) -> Target {
    Target { case, entrant, figure, against, bound }
}

/// The targets. `floor-long` is the floor that writes the same bytes as we do.
pub(crate) const TARGETS: [Target; 11] = {
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
    ]
};

/// Judges those targets whose case was run.
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

#[cfg(test)]
mod tests {
    use super::*;

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
