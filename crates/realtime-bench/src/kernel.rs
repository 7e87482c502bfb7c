//! The memory that the kernel holds for sockets, from proc(5), `/proc/net/sockstat` and `/proc/slabinfo`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::stats::median;

/// What a page is on every machine that this runs on.
const PAGE: u64 = 4096;

/// The figures of the kernel at one moment; `None` where they can't be read: slabinfo is for root alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    /// The caches of kernel objects.
    caches: Option<BTreeMap<String, Cache>>,
    /// Pages of what waits in TCP sockets; the limits of `net.ipv4.tcp_mem` count these.
    tcp_pages: Option<u64>,
    /// Connections that netfilter follows.
    tracked: Option<u64>,
    /// Times that a socket found the backlog of its listener full.
    overflows: Option<u64>,
}

/// A cache of kernel objects: those in use, each with its share of the slab that it is in. What is cut but free does
/// not count, for it was often cut for others before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cache {
    objects: u64,
    bytes: u64,
}

/// What `connections` added, both of their ends on this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grown {
    /// Bytes for each connection of the caches that grew by an object for each or more, the largest first: what grew
    /// by less is others' doing.
    caches: Option<Vec<(String, f64)>>,
    pub(crate) tcp_bytes: Option<f64>,
    pub(crate) tracked: Option<f64>,
    pub(crate) overflows: Option<f64>,
}

impl Kernel {
    pub(crate) fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        Self {
            caches: read("/proc/slabinfo").map(|text| caches(&text)),
            tcp_pages: read("/proc/net/sockstat").and_then(|text| tcp_pages(&text)),
            tracked: read("/proc/sys/net/netfilter/nf_conntrack_count").and_then(|text| text.trim().parse().ok()),
            overflows: read("/proc/net/netstat").and_then(|text| overflows(&text)),
        }
    }

    pub(crate) fn grown_since(&self, before: &Self, connections: usize) -> Grown {
        let per = |now: Option<u64>, then: Option<u64>| Some((now? as f64 - then? as f64) / connections as f64);
        let caches = self.caches.as_ref().zip(before.caches.as_ref()).map(|(now, then)| {
            let grown = now.iter().filter_map(|(name, now)| {
                let then = then.get(name).copied().unwrap_or_default();
                let objects = per(Some(now.objects), Some(then.objects))?;
                (objects > 0.8).then(|| Some((name.clone(), per(Some(now.bytes), Some(then.bytes))?)))?
            });
            let mut grown: Vec<_> = grown.collect();
            grown.sort_by(|one, other| other.1.total_cmp(&one.1));
            grown
        });
        Grown {
            caches,
            tcp_bytes: per(self.tcp_pages, before.tcp_pages).map(|pages| pages * PAGE as f64),
            tracked: per(self.tracked, before.tracked),
            overflows: per(self.overflows, before.overflows),
        }
    }
}

impl Grown {
    /// The median of each cache over several rounds, so that what others did in one of them does not count.
    pub(crate) fn caches<'a>(rounds: impl IntoIterator<Item = &'a Self>) -> Option<Vec<(String, f64)>> {
        let rounds: Vec<_> = rounds.into_iter().map(|grown| grown.caches.as_ref()).collect::<Option<_>>()?;
        let names: BTreeSet<_> = rounds.iter().copied().flatten().map(|(name, _)| name).collect();
        let median = |name: &String| {
            let of =
                |round: &&Vec<(String, f64)>| round.iter().find(|(known, _)| known == name).map_or(0.0, |(_, b)| *b);
            median(&rounds.iter().map(of).collect::<Vec<_>>())
        };
        let mut all: Vec<_> = names.into_iter().map(|name| (name.clone(), median(name))).collect();
        all.retain(|(_, bytes)| *bytes > 0.0);
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        Some(all)
    }
}

/// The caches that slabinfo(5) lists.
fn caches(text: &str) -> BTreeMap<String, Cache> {
    let cache = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let mut number = || words.next()?.parse::<u64>().ok();
        let (objects, _, _, per_slab, pages) = (number()?, number()?, number()?, number()?, number()?);
        Some((name, Cache { objects, bytes: objects * pages * PAGE / per_slab.max(1) }))
    };
    text.lines().filter_map(cache).collect()
}

/// The counter `ListenOverflows`: its name is in one line, its value at the same place in the next.
fn overflows(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let place = lines.next()?.split_whitespace().position(|name| name == "ListenOverflows")?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

/// Pages that TCP has for what waits in its sockets.
fn tcp_pages(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("TCP:"))?;
    line.split_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLABINFO: &str = "\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> : slabdata <a>
TCP                  130    143   2432   13    8 : tunables    0    0    0 : slabdata     11     11      0
filp                 588    609    192   21    1 : tunables    0    0    0 : slabdata     29     29      0
";

    #[test]
    fn an_object_is_counted_with_its_share_of_the_slab() {
        let caches = caches(SLABINFO);
        assert_eq!(caches["TCP"], Cache { objects: 130, bytes: 10 * 8 * 4096 });
        assert_eq!(caches["filp"], Cache { objects: 588, bytes: 28 * 4096 });
        assert_eq!(caches.len(), 2);
    }

    #[test]
    fn the_pages_of_tcp_are_found() {
        let text = "sockets: used 11\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 37\nUDP: inuse 0 mem 4\n";
        assert_eq!(tcp_pages(text), Some(37));
        assert_eq!(tcp_pages("sockets: used 11\n"), None);
    }

    #[test]
    fn the_overflows_stand_below_their_name() {
        let text =
            "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 18 19\nIpExt: InMcastPkts\nIpExt: 7\n";
        assert_eq!(overflows(text), Some(18));
        assert_eq!(overflows("IpExt: InMcastPkts\nIpExt: 7\n"), None);
    }

    #[test]
    fn growth_is_counted_where_every_connection_has_an_object_and_where_it_could_be_read() {
        let before = Kernel { caches: Some(caches(SLABINFO)), tcp_pages: Some(10), ..Kernel::default() };
        let mut after = before.clone();
        let grown = after.caches.get_or_insert_default();
        grown.insert("filp".into(), Cache { objects: 788, bytes: 38 * 4096 });
        grown.insert("TCP".into(), Cache { objects: 140, bytes: 11 * 8 * 4096 });
        after.tcp_pages = Some(12);
        let grown = after.grown_since(&before, 100);
        assert_eq!(grown.caches, Some(vec![("filp".to_owned(), 409.6)]));
        assert_eq!((grown.tcp_bytes, grown.tracked), (Some(81.92), None));
        assert_eq!(after.grown_since(&Kernel::default(), 100).caches, None);
    }

    #[test]
    fn what_others_did_in_one_round_of_three_does_not_count() {
        let round = |caches: &[(&str, f64)]| {
            let caches = caches.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
            Grown { caches: Some(caches), ..Grown::default() }
        };
        let rounds =
            [round(&[("TCP", 5.0)]), round(&[("TCP", 6.0), ("proc_inode_cache", 9.0)]), round(&[("TCP", 7.0)])];
        assert_eq!(Grown::caches(&rounds), Some(vec![("TCP".to_owned(), 6.0)]));
        assert_eq!(Grown::caches(&[round(&[]), Grown::default()]), None);
    }
}
