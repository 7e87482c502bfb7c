//! What is explored: threads and bounds.

use crate::node::{self, Cmd::*, Config, Since::*, Thread::*, Try};

fn base(threads: Vec<node::Thread>) -> Config {
    Config {
        threads,
        size: 2,
        bound: 2,
        page: 1,
        total: 0,
        before: [0, 0],
        hold: None,
        live: [false, false],
        tries: Try::default(),
        absent: false,
    }
}

pub(crate) fn configs() -> Vec<(&'static str, Config)> {
    let p = |v: &[(u8, u8)]| Publish(v.to_vec());
    let mut all = vec![
        (
            "since",
            Config {
                before: [2, 0],
                ..base(vec![
                    Task(vec![Sub(0, At(0))]),
                    p(&[(0, 1), (0, 1), (0, 1)]),
                    p(&[(0, 1), (0, 1)]),
                    Expire(vec![0]),
                ])
            },
        ),
        (
            "live-sub",
            base(vec![Task(vec![Sub(0, Live)]), p(&[(0, 1), (0, 1), (0, 1)]), p(&[(0, 1), (0, 1)]), Expire(vec![0])]),
        ),
        (
            "beyond",
            Config { before: [1, 0], ..base(vec![Task(vec![Sub(0, At(3))]), p(&[(0, 1), (0, 1)]), p(&[(0, 1)])]) },
        ),
        (
            "overflow",
            Config {
                live: [true, false],
                size: 3,
                ..base(vec![Task(vec![]), p(&[(0, 1), (0, 1), (0, 1)]), p(&[(0, 1), (0, 1)]), Expire(vec![0, 0])])
            },
        ),
        (
            "overflow-joined",
            Config {
                live: [true, false],
                size: 3,
                bound: 1,
                ..base(vec![Task(vec![]), p(&[(0, 2), (0, 1)]), p(&[(0, 2), (0, 1)]), Expire(vec![0])])
            },
        ),
        (
            "overflow-unsub",
            Config {
                live: [true, false],
                ..base(vec![Task(vec![Unsub(0)]), p(&[(0, 1), (0, 1)]), p(&[(0, 1), (0, 1)])])
            },
        ),
        (
            "overflow-unsub-1",
            Config {
                live: [true, false],
                bound: 1,
                ..base(vec![Task(vec![Unsub(0)]), p(&[(0, 1), (0, 1)]), p(&[(0, 1)])])
            },
        ),
        (
            "unsub-resub",
            Config {
                before: [2, 0],
                live: [true, false],
                ..base(vec![Task(vec![Unsub(0), Sub(0, Last)]), p(&[(0, 1), (0, 1)]), p(&[(0, 1)]), Expire(vec![0])])
            },
        ),
        (
            "pipelined",
            Config {
                before: [2, 0],
                size: 3,
                ..base(vec![Task(vec![Sub(0, At(0)), Unsub(0), Sub(0, At(1))]), p(&[(0, 1), (0, 1)]), p(&[(0, 1)])])
            },
        ),
        (
            "repeat-since",
            Config {
                before: [2, 0],
                live: [true, false],
                size: 4,
                ..base(vec![Task(vec![Sub(0, At(1))]), p(&[(0, 1), (0, 1)]), p(&[(0, 1)])])
            },
        ),
        (
            "repeat-live",
            Config {
                before: [2, 0],
                live: [true, false],
                size: 4,
                ..base(vec![Task(vec![Sub(0, Live), Sub(0, Live)]), p(&[(0, 1), (0, 1)]), p(&[(0, 1)])])
            },
        ),
        (
            "revoke",
            Config {
                before: [2, 0],
                ..base(vec![Task(vec![Sub(0, At(0))]), p(&[(0, 1), (0, 1)]), p(&[(0, 1)]), Admin(vec![Unsub(0)])])
            },
        ),
        (
            "revoke-resub",
            Config {
                before: [2, 0],
                size: 3,
                ..base(vec![Task(vec![Sub(0, At(0))]), p(&[(0, 1), (0, 1)]), Admin(vec![Unsub(0), Sub(0, Live)])])
            },
        ),
        (
            "hold",
            Config {
                before: [2, 1],
                hold: Some([true, true]),
                ..base(vec![Task(vec![Resume(0, At(1)), Resume(1, At(0))]), p(&[(0, 1), (1, 1)]), p(&[(0, 1)])])
            },
        ),
        (
            "hold-revoke",
            Config {
                before: [2, 0],
                hold: Some([true, false]),
                ..base(vec![Task(vec![Resume(0, At(1))]), p(&[(0, 1), (0, 1)]), Admin(vec![Unsub(0)]), Expire(vec![0])])
            },
        ),
        (
            "two-streams",
            Config {
                live: [true, true],
                ..base(vec![Task(vec![]), p(&[(0, 1), (1, 1), (0, 1)]), p(&[(1, 1), (0, 1)])])
            },
        ),
        (
            "two-streams-1",
            Config {
                live: [true, true],
                bound: 1,
                ..base(vec![Task(vec![]), p(&[(0, 1), (1, 1), (0, 1)]), p(&[(1, 1), (0, 1)])])
            },
        ),
        (
            "user-and-topic",
            Config {
                before: [0, 1],
                live: [true, false],
                ..base(vec![Task(vec![Sub(1, At(0)), Unsub(1)]), p(&[(0, 1), (1, 1)]), p(&[(1, 1), (0, 1)])])
            },
        ),
        (
            "total",
            Config {
                live: [true, true],
                total: 1,
                bound: 1,
                ..base(vec![Task(vec![]), p(&[(0, 1), (1, 1), (0, 1)]), p(&[(1, 1), (0, 1)])])
            },
        ),
    ];
    all.push((
        "large-since",
        Config {
            before: [2, 0],
            ..base(vec![
                Task(vec![Sub(0, At(0)), Unsub(0), Sub(0, Last)]),
                p(&[(0, 1), (0, 2), (0, 1)]),
                p(&[(0, 1), (0, 1)]),
                Expire(vec![0, 0]),
            ])
        },
    ));
    all.push((
        "large-overflow",
        Config {
            live: [true, true],
            size: 2,
            ..base(vec![
                Task(vec![Unsub(0), Sub(0, Last)]),
                p(&[(0, 1), (1, 1), (0, 1)]),
                p(&[(0, 2), (1, 1)]),
                Expire(vec![0]),
            ])
        },
    ));
    all.push((
        "large-admin",
        Config {
            before: [2, 1],
            live: [false, true],
            ..base(vec![
                Task(vec![Sub(0, At(0)), Unsub(0)]),
                p(&[(0, 1), (1, 1), (0, 1)]),
                p(&[(0, 1), (1, 1)]),
                Admin(vec![Unsub(0), Sub(0, Live), Unsub(1)]),
            ])
        },
    ));
    all.push((
        "large-hold",
        Config {
            before: [2, 1],
            hold: Some([true, true]),
            ..base(vec![
                Task(vec![Resume(0, At(0)), Resume(1, At(1))]),
                p(&[(0, 1), (1, 1), (0, 1)]),
                p(&[(0, 1), (1, 2)]),
                Admin(vec![Unsub(1)]),
                Expire(vec![0, 1]),
            ])
        },
    ));
    all.push((
        "large-two-1",
        Config {
            live: [true, true],
            bound: 1,
            page: 2,
            before: [1, 1],
            ..base(vec![
                Task(vec![Unsub(0), Sub(0, Last), Unsub(1)]),
                p(&[(0, 1), (1, 1), (0, 1)]),
                p(&[(1, 2), (0, 1), (1, 1)]),
                Admin(vec![Unsub(0)]),
                Expire(vec![0, 1]),
            ])
        },
    ));
    // As built: streams that are forgotten and begin anew, messages that exclude the client, a resume of several streams.
    all.push((
        "absent-live",
        Config {
            absent: true,
            ..base(vec![Task(vec![Sub(0, Live)]), p(&[(0, 1), (1, 1)]), p(&[(1, 1), (0, 1)]), Forget(vec![1, 0])])
        },
    ));
    all.push((
        "forget-since",
        Config {
            before: [2, 1],
            ..base(vec![
                Task(vec![Sub(0, At(1)), Unsub(0), Sub(0, Last)]),
                p(&[(0, 1), (1, 1)]),
                p(&[(0, 1)]),
                Forget(vec![0, 1]),
            ])
        },
    ));
    all.push((
        "forget-revoke",
        Config {
            before: [1, 1],
            live: [true, false],
            ..base(vec![
                Task(vec![Sub(1, At(0))]),
                p(&[(0, 1), (1, 1)]),
                Admin(vec![Unsub(0), Sub(0, Live)]),
                Forget(vec![1, 0]),
            ])
        },
    ));
    all.push((
        "except",
        Config {
            before: [1, 0],
            size: 3,
            ..base(vec![
                Task(vec![Sub(0, At(0)), Unsub(0), Sub(0, Last)]),
                Except(vec![(0, 1, true), (0, 1, false)]),
                Except(vec![(0, 2, true), (0, 1, false)]),
            ])
        },
    ));
    all.push((
        "except-overflow",
        Config {
            live: [true, false],
            bound: 1,
            ..base(vec![
                Task(vec![]),
                Except(vec![(0, 1, false), (0, 1, true), (0, 1, false)]),
                Except(vec![(0, 1, true), (0, 1, false)]),
                Expire(vec![0]),
            ])
        },
    ));
    all.push((
        "resume-two",
        Config {
            before: [2, 1],
            hold: Some([true, true]),
            ..base(vec![
                Task(vec![Begin(vec![(0, At(0)), (1, At(1))]), Settle]),
                p(&[(0, 1), (1, 1)]),
                p(&[(0, 1)]),
                Admin(vec![Unsub(1)]),
            ])
        },
    ));
    all.push((
        "resume-topic",
        Config {
            before: [2, 2],
            hold: Some([true, false]),
            ..base(vec![
                Task(vec![Begin(vec![(0, At(1))]), Part(1, At(0), false), Settle]),
                p(&[(0, 1), (1, 1)]),
                p(&[(1, 1)]),
                Admin(vec![Unsub(1)]),
            ])
        },
    ));
    all.push((
        "resume-full",
        Config {
            before: [2, 2],
            hold: Some([true, false]),
            ..base(vec![
                Task(vec![Begin(vec![(0, At(1))]), Part(1, At(0), true), Settle]),
                p(&[(0, 1), (1, 1)]),
                p(&[(0, 1)]),
            ])
        },
    ));
    all.push((
        "resume-forget",
        Config {
            before: [2, 2],
            hold: Some([true, false]),
            ..base(vec![
                Task(vec![Begin(vec![(0, At(1))]), Part(1, At(1), false), Settle]),
                p(&[(1, 1), (0, 1)]),
                p(&[(1, 1)]),
                Forget(vec![1]),
            ])
        },
    ));
    // The larger page too, where a page and the queue's frames mix.
    let more: Vec<_> = all
        .iter()
        .filter(|(name, _)| matches!(*name, "since" | "unsub-resub" | "pipelined" | "revoke-resub" | "overflow"))
        .map(|(name, c)| {
            (
                match *name {
                    "since" => "since-page3",
                    "unsub-resub" => "unsub-resub-page3",
                    "pipelined" => "pipelined-page3",
                    "revoke-resub" => "revoke-resub-page3",
                    _ => "overflow-page3",
                },
                Config { page: 3, ..c.clone() },
            )
        })
        .collect();
    all.extend(more);
    all
}
