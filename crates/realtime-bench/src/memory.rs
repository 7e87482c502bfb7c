//! What the memory of an idle connection consists of: the release server under valgrind's DHAT, each live block by the stack
//! that allocated it. `cargo xtask bench --memory`.

mod dhat;
mod parts;

use std::{
    fmt::Write as _,
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Stdio},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use self::{
    dhat::Site,
    parts::{Part, part_of, parts},
};
use crate::{
    idle::{self, IdleCost},
    options::{Options, Result},
    servers::{Server, Start},
    stats::median,
};

/// Frames of a stack that are kept. The one that decides is among the first twenty, inlined ones not counted.
const FRAMES: usize = 40;
/// The longest that DHAT may take to write what it knows.
const WRITING: Duration = Duration::from_secs(60);
/// The signal at which the process ends as it is, connections and all: the server has no handler for it, and DHAT
/// writes at any end.
const END: &str = "-USR1";

/// What a part of the server holds for all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Holds {
    bytes: f64,
    blocks: f64,
    /// What the allocator takes beside them.
    overhead: f64,
}

/// A profile at so many connections.
struct Profile {
    connections: usize,
    sites: Vec<Site>,
}

/// Profiles each number of connections, and prints what one of them holds.
pub(crate) async fn run(options: &Options) -> Result<()> {
    valgrind()?;
    fs::create_dir_all(&options.out)?;
    let sizes = idle::sizes(options, &[2_000, 10_000]);
    let base = profile(options, 1).await?;
    let mut profiles = Vec::new();
    for size in &sizes {
        profiles.push(profile(options, *size).await?);
    }
    let largest = sizes.last().copied().ok_or("no number of connections")?;
    let held = idle::rounds(options, largest).await?;
    let text = report(&base, &profiles, &held)?;
    println!("{text}");
    fs::write(options.out.join("memory.md"), &text)?;
    println!("written: memory.md, and dhat.N.json for valgrind's dh_view.html, in {}", options.out.display());
    Ok(())
}

/// Whether there is a valgrind to run.
fn valgrind() -> Result<()> {
    match process::Command::new("valgrind").arg("--version").stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("NOT MEASURED: --memory needs valgrind, which is not \
             installed (Debian: apt-get install valgrind); --idle measures resident memory without it"
                .into())
        }
        other => Err(format!("NOT MEASURED: valgrind does not run: {other:?}").into()),
    }
}

/// The live blocks of a server with so many idle connections.
async fn profile(options: &Options, connections: usize) -> Result<Profile> {
    eprintln!("profiling {connections} connections under valgrind");
    let folder = tempfile::tempdir()?;
    let out = fs::canonicalize(&options.out)?.join(format!("dhat.{connections}.json"));
    let server = fs::canonicalize(options.binaries.join("realtime-server"))?;
    let stand_in = folder.path().join("realtime-server");
    fs::write(&stand_in, script(&server, &out))?;
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755))?;

    let slowed = Options { binaries: folder.path().to_owned(), ..options.clone() };
    let running = Server::Realtime.start(&slowed, &Start::default()).await?;
    let sockets = idle::connect(&running, connections, options.at_once).await?;
    sleep(Duration::from_secs(3)).await;
    for pid in running.pids() {
        process::Command::new("kill").args([END, &pid.to_string()]).status()?;
        let written = async {
            while !ended(pid) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(WRITING, written).await.map_err(|_| "DHAT does not come to its end")?;
    }
    drop(sockets);
    running.stop().await;
    let text = fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    Ok(Profile { connections, sites: dhat::parse(&text)? })
}

/// The script that is started instead of the server: the server, under DHAT. Pings are an hour apart, as DHAT is some
/// thirty times slower.
fn script(server: &Path, out: &Path) -> String {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    format!(
        "#!/bin/sh\nREALTIME_LIVENESS__PING_INTERVAL=1h exec valgrind --tool=dhat --num-callers={FRAMES} \
         --fullpath-after= --dhat-out-file={} {} \"$@\"\n",
        quoted(&PathBuf::from(out.display().to_string().replace('%', "%%"))),
        quoted(server)
    )
}

/// Whether the process has ended; its parent may not have collected it yet (proc(5)).
fn ended(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z'))
}

impl Profile {
    /// What the sites of a part hold.
    fn of(&self, wanted: Part) -> Holds {
        let sites = self.sites.iter().filter(|site| part_of(site) == wanted);
        sites.fold(Holds::default(), |sum, site| Holds {
            bytes: sum.bytes + site.bytes as f64,
            blocks: sum.blocks + site.blocks as f64,
            overhead: sum.overhead + parts::overhead(site) as f64,
        })
    }

    /// What a part holds for each connection, beyond what it holds with one alone.
    fn per_connection(&self, base: &Self, part: Part) -> Holds {
        let (now, then) = (self.of(part), base.of(part));
        let more = (self.connections - base.connections).max(1) as f64;
        Holds {
            bytes: (now.bytes - then.bytes) / more,
            blocks: (now.blocks - then.blocks) / more,
            overhead: (now.overhead - then.overhead) / more,
        }
    }
}

fn sum(all: impl Iterator<Item = Holds>) -> Holds {
    all.fold(Holds::default(), |sum, one| Holds {
        bytes: sum.bytes + one.bytes,
        blocks: sum.blocks + one.blocks,
        overhead: sum.overhead + one.overhead,
    })
}

/// The tables. What no rule knows must stay small, or the rest means nothing.
fn report(base: &Profile, profiles: &[Profile], held: &[IdleCost]) -> Result<String> {
    let largest = profiles.last().ok_or("no profile")?;
    let of = |wanted: &dyn Fn(&Part) -> bool, profile: &Profile| {
        sum(parts().into_iter().filter(|part| wanted(part)).map(|part| profile.per_connection(base, part)))
    };
    let row = |name: &str, part: &str, wanted: &dyn Fn(&Part) -> bool| {
        let mut text = format!("| {name} | {part} |");
        for profile in profiles {
            let holds = of(wanted, profile);
            let _ = write!(text, " {:.0} | {:.2} |", holds.bytes, holds.blocks);
        }
        text + "\n"
    };
    let mut text = String::from("\n## The heap of an idle connection\n\n| group | part |");
    for profile in profiles {
        let _ = write!(text, " bytes at {} | blocks |", profile.connections);
    }
    let _ = writeln!(text, "\n|---|---|{}", "---:|---:|".repeat(profiles.len()));
    for group in ["task", "session", "socket", "queue", "registry", "other"] {
        let of_group: Vec<_> = parts().into_iter().filter(|part| part.group == group).collect();
        for part in &of_group {
            let held = profiles.iter().any(|profile| profile.per_connection(base, *part).bytes.abs() >= 0.5);
            if held && of_group.len() > 1 {
                let grows = if part.doubles { " (doubles)" } else { "" };
                text += &row(group, &format!("{}{grows}", part.name), &|other| other == part);
            }
        }
        text += &row(&format!("**{group}**"), "in all", &|part| part.group == group);
    }
    text += &row("**heap**", "in all", &|_| true);
    text += "\nWhat a part holds with one connection alone is taken off. What *doubles* is a table or a list: at least \
             half of it is in use just before it grows, and it holds twice as much just after.\n";

    let heap = of(&|_| true, largest);
    let resident = median(&held.iter().map(IdleCost::resident).collect::<Vec<_>>());
    let rest = resident - heap.bytes - heap.overhead;
    let _ = write!(
        text,
        "\n## Beside the heap, at {}\n\n| | bytes per connection |\n|---|---:|\n\
         | heap, as DHAT counts it | {:.0} |\n\
         | the allocator's headers and rounding, computed for glibc | {:.0} |\n\
         | the rest: space between blocks, partly used pages | {rest:.0} |\n\
         | **resident**, without a profiler (median of {}) | **{resident:.0}** |\n",
        largest.connections,
        heap.bytes,
        heap.overhead,
        held.len()
    );
    text += &kernel(held);
    let unknown = of(&|part| *part == parts::OTHER, largest).bytes;
    if unknown > heap.bytes / 10.0 {
        return Err(format!(
            "{text}\n{unknown:.0} bytes match no rule: the rules are out of date, or the build has no line tables"
        )
        .into());
    }
    Ok(text)
}

/// What the kernel holds, which is in no process's resident memory.
fn kernel(held: &[IdleCost]) -> String {
    let of = |figure: &dyn Fn(&IdleCost) -> Option<f64>| {
        let values: Option<Vec<_>> = held.iter().map(figure).collect();
        values.map_or_else(|| "not readable".to_owned(), |values| format!("{:.0}", median(&values)))
    };
    let mut text = String::new();
    let _ = write!(
        text,
        "| kernel objects, both ends, in no process's resident memory | {} |\n| TCP's pages of buffered data, both ends | {} |\n\n",
        idle::objects(held).map_or_else(|| "not readable".to_owned(), |bytes| format!("{bytes:.0}")),
        of(&|held| held.kernel.tcp_bytes)
    );
    text + &idle::caches(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(bytes: u64, blocks: u64, frame: &str) -> Site {
        Site { bytes, blocks, frames: vec!["malloc".into(), frame.into()] }
    }

    #[test]
    fn what_one_connection_alone_holds_is_taken_off() {
        let queue = |blocks| site(32 * blocks, blocks, "push (realtime-core/src/outbound.rs:76)");
        let base = Profile { connections: 1, sites: vec![queue(1), site(9000, 1, "main (main.rs:1)")] };
        let all = Profile { connections: 101, sites: vec![queue(101), site(9000, 1, "main (main.rs:1)")] };
        let part = part_of(&queue(1));
        assert_eq!(all.per_connection(&base, part), Holds { bytes: 32.0, blocks: 1.0, overhead: 16.0 });
        assert_eq!(all.per_connection(&base, parts::OTHER), Holds::default());
        let text = report(&base, &[all], &[]).expect("a report");
        assert!(text.contains("| **heap** | in all | 32 | 1.00 |"), "{text}");
    }

    #[test]
    fn a_profile_that_matches_no_rule_is_an_error() {
        let base = Profile { connections: 1, sites: Vec::new() };
        let all = Profile { connections: 11, sites: vec![site(500, 5, "??? (in /usr/bin/x)")] };
        assert!(report(&base, &[all], &[]).expect_err("unknown").to_string().contains("match no rule"));
    }

    #[test]
    fn the_stand_in_runs_the_server_under_dhat_whatever_its_path() {
        let script = script(Path::new("/a b/it's/realtime-server"), Path::new("/out/100%/dhat.1.json"));
        assert!(script.contains(r"'/a b/it'\''s/realtime-server'"), "{script}");
        assert!(script.contains("--dhat-out-file='/out/100%%/dhat.1.json'"), "{script}");
        assert!(script.ends_with("\"$@\"\n"));
    }

    #[test]
    fn a_process_that_is_there_has_not_ended() {
        assert!(!ended(process::id()));
    }
}
