//! What valgrind's DHAT writes when a process ends: the blocks that were live then, by the stack that allocated them.

use serde::Deserialize;

use crate::options::Result;

/// The one version of the format that is understood, which valgrind has written since 3.15.
const VERSION: u32 = 2;

/// A place in the program at which blocks were allocated that are still live.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Site {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    /// The stack, the allocation itself first: `function (file:line)`, functions inlined into others as well.
    pub(crate) frames: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "dhatFileVersion")]
    version: u32,
    #[serde(rename = "pps")]
    points: Vec<Point>,
    #[serde(rename = "ftbl")]
    frames: Vec<String>,
}

/// A program point. DHAT also counts what was allocated in all, at its peak, and for how long.
#[derive(Deserialize)]
struct Point {
    #[serde(rename = "eb", default)]
    bytes_at_end: u64,
    #[serde(rename = "ebk", default)]
    blocks_at_end: u64,
    #[serde(rename = "fs")]
    frames: Vec<usize>,
}

/// The sites with live blocks in what DHAT has written.
pub(crate) fn parse(text: &str) -> Result<Vec<Site>> {
    let file: File = serde_json::from_str(text).map_err(|error| format!("not what DHAT writes: {error}"))?;
    if file.version != VERSION {
        return Err(format!("DHAT's format {} is not the {VERSION} that is understood", file.version).into());
    }
    let names: Vec<_> = file.frames.iter().map(|frame| named(frame)).collect();
    let site = |point: Point| {
        let frame = |at: usize| names.get(at).cloned().ok_or_else(|| format!("there is no frame {at}"));
        let frames = point.frames.into_iter().map(frame).collect::<std::result::Result<_, _>>()?;
        Ok(Site { bytes: point.bytes_at_end, blocks: point.blocks_at_end, frames })
    };
    file.points.into_iter().filter(|point| point.blocks_at_end > 0).map(site).collect()
}

/// A frame without its address, its file from the package on: the same on every machine.
fn named(frame: &str) -> String {
    let name = frame.split_once(": ").map_or(frame, |(_, name)| name);
    let Some((function, place)) = name.rsplit_once(" (") else { return name.to_owned() };
    let after = |mark: &str| place.rfind(mark).map(|at| &place[at + mark.len()..]);
    let package = after("/crates/").or_else(|| {
        let (_, registry) = place.split_once("/registry/src/")?;
        registry.split_once('/').map(|(_, package)| package)
    });
    format!("{function} ({}", package.or_else(|| after("/deps/")).unwrap_or(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_blocks_are_read_with_their_stacks_and_dead_ones_are_left_out() {
        let text = r#"{"dhatFileVersion":2,"mode":"heap","pps":[
            {"tb":96,"tbk":3,"eb":64,"ebk":2,"fs":[1,2]},
            {"tb":500,"tbk":5,"eb":0,"ebk":0,"fs":[1]}],
          "ftbl":["[root]","0x10: malloc (in /usr/lib/x.so)","0x20: push<T> (/home/me/crates/core/src/queue.rs:76)"]}"#;
        let frames = vec!["malloc (in /usr/lib/x.so)".to_owned(), "push<T> (core/src/queue.rs:76)".to_owned()];
        assert_eq!(parse(text).expect("a profile"), [Site { bytes: 64, blocks: 2, frames }]);
    }

    #[test]
    fn a_file_is_named_from_its_package_on_wherever_it_was_built() {
        let registry =
            "0x1: new (/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.54.1/src/a.rs:1)";
        assert_eq!(named(registry), "new (tokio-1.54.1/src/a.rs:1)");
        assert_eq!(
            named("0x1: grow (/rust/deps/hashbrown-0.16.1/src/raw/mod.rs:9)"),
            "grow (hashbrown-0.16.1/src/raw/mod.rs:9)"
        );
        assert_eq!(named("0x1: ??? (in /usr/bin/x)"), "??? (in /usr/bin/x)");
        assert_eq!(named("[root]"), "[root]");
    }

    #[test]
    fn what_is_no_profile_is_refused_with_the_reason() {
        let message = |text: &str| parse(text).expect_err("refused").to_string();
        assert!(message("{").contains("not what DHAT writes"));
        assert!(message(r#"{"dhatFileVersion":3,"pps":[],"ftbl":[]}"#).contains("format 3"));
        let broken = r#"{"dhatFileVersion":2,"pps":[{"eb":1,"ebk":1,"fs":[7]}],"ftbl":[]}"#;
        assert!(message(broken).contains("no frame 7"));
    }
}
