//! The promises of every [`ConnectionRegistry`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use realtime_core::connection::{ConnectionUpdate, Metadata};
use realtime_schema::ConnectionId;

use super::scene::{Bystander, Dice, id, record, role, shown, user};
use crate::{ConnectionRegistry, RegisterError, Selection, WebSocketConnection};

/// Runs the whole suite. Each part takes a fresh registry.
///
/// # Panics
/// The registry breaks a promise of the port; the message says which.
pub fn registry_conformance<R: ConnectionRegistry>(fresh: impl Fn() -> R) {
    a_connection_is_found_by_id_user_role_and_among_all(&fresh());
    an_id_is_registered_once(&fresh());
    an_unregistered_connection_is_found_nowhere(&fresh());
    new_roles_change_where_a_connection_is_found(&fresh());
    an_update_of_one_field_keeps_the_other(&fresh());
    each_socket_is_shown_once(&fresh());
    pages_show_each_connection_once_while_others_come_and_go(&fresh());
    no_socket_is_shown_after_unregister_has_returned(&fresh());
    busy_threads_leave_no_entry_behind(&fresh());
}

fn register<R: ConnectionRegistry>(registry: &R, n: usize, of: &str, roles: &[&str]) -> Arc<Bystander> {
    let socket = Bystander::new(n);
    let done = registry.register(record(n, of, roles), Arc::clone(&socket) as _);
    assert_eq!(done, Ok(()), "a new connection is registered");
    socket
}

fn all<R: ConnectionRegistry>(registry: &R) -> Vec<ConnectionId> {
    shown(|visit| registry.visit(&Selection::All, visit))
}

fn of_user<R: ConnectionRegistry>(registry: &R, name: &str) -> Vec<ConnectionId> {
    shown(|visit| registry.visit(&Selection::User(user(name)), visit))
}

fn of_role<R: ConnectionRegistry>(registry: &R, name: &str) -> Vec<ConnectionId> {
    shown(|visit| registry.visit(&Selection::Role(role(name)), visit))
}

/// Pages are in the order of ids, and a connection that stays is on exactly one of them.
pub fn pages_show_each_connection_once_while_others_come_and_go<R: ConnectionRegistry>(registry: &R) {
    const MANY: usize = 300;
    // Every third stays; the others are gone or new when the next page is read.
    for n in (0..MANY).rev().filter(|n| n % 3 != 2) {
        register(registry, n, if n % 2 == 0 { "alice" } else { "bob" }, if n % 4 == 0 { &["staff"] } else { &[] });
    }
    let limit = registry.page(&Selection::All, None, 7);
    assert_eq!(limit, [0, 1, 3, 4, 6, 7, 9].map(id), "a page is the first so many, in the order of ids");
    assert_eq!(registry.page(&Selection::All, Some(id(2)), 2), [id(3), id(4)], "after an id that is not there");
    assert_eq!(registry.page(&Selection::All, None, 0), [], "a page of nothing");
    assert_eq!(registry.page(&Selection::All, Some(id(MANY)), 5), [], "after the last");
    assert_eq!(registry.page(&Selection::User(user("alice")), None, 3), [0, 4, 6].map(id), "a user's");
    assert_eq!(registry.page(&Selection::Role(role("staff")), Some(id(0)), 3), [4, 12, 16].map(id), "a role's");
    assert_eq!(registry.page(&Selection::Role(role("root")), None, 3), [], "a role without connections");
    let (mut seen, mut after, mut round) = (Vec::new(), None, 0);
    loop {
        let page = registry.page(&Selection::All, after, 40);
        assert!(page.len() <= 40, "a page holds no more than was asked for");
        let Some(last) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
        for n in (0..MANY).filter(|n| n % 3 == 1) {
            registry.unregister(id(n));
        }
        for n in (0..MANY).filter(|n| n % 3 == 2 && n % 5 == round % 5) {
            register(registry, n, "carol", &[]);
        }
        round += 1;
        for n in (0..MANY).filter(|n| n % 3 == 2 && n % 5 != round % 5) {
            registry.unregister(id(n));
        }
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "no page repeats a connection");
    let stayed: Vec<_> = (0..MANY).step_by(3).map(id).collect();
    assert!(stayed.iter().all(|id| seen.contains(id)), "no page skips a connection that stays");
    assert!(registry.page(&Selection::All, None, usize::MAX).len() >= stayed.len(), "a page without an end");
}

/// Each selection shows the connections it names and no other.
pub fn a_connection_is_found_by_id_user_role_and_among_all<R: ConnectionRegistry>(registry: &R) {
    assert_eq!((all(registry), registry.count()), (vec![], 0), "a fresh registry is empty");
    let alice = register(registry, 1, "alice", &["admin", "staff"]);
    register(registry, 2, "alice", &[]);
    register(registry, 3, "bob", &["staff"]);
    assert_eq!(of_user(registry, "alice"), [id(1), id(2)], "a user's connections");
    assert_eq!(of_user(registry, "carol"), [], "a user without connections");
    assert_eq!(of_role(registry, "staff"), [id(1), id(3)], "a role's connections");
    assert_eq!(of_role(registry, "alice"), [], "a user's name is not a role's");
    assert_eq!(all(registry), [id(1), id(2), id(3)], "all connections");
    assert_eq!(registry.count(), 3, "the count of connections");
    let (found, socket) = registry.get(id(1)).expect("a registered connection is found by its id");
    assert_eq!(found, record(1, "alice", &["admin", "staff"]), "its record is the registered one");
    alice.expected.store(true, SeqCst);
    assert!(socket.is_open(), "its socket is the registered one");
    assert!(registry.get(id(9)).is_none(), "an unknown id is not found");
}

/// The second registration of an id is refused; the first is unchanged.
pub fn an_id_is_registered_once<R: ConnectionRegistry>(registry: &R) {
    register(registry, 1, "alice", &["admin"]);
    let again = registry.register(record(1, "mallory", &["root"]), Bystander::new(1));
    assert_eq!(again, Err(RegisterError(id(1))), "the error names the id that is already registered");
    assert_eq!(
        (of_user(registry, "mallory"), of_role(registry, "root")),
        (vec![], vec![]),
        "the refused registration leaves no entry"
    );
    assert_eq!((of_user(registry, "alice"), registry.count()), (vec![id(1)], 1), "the first stays");
}

/// `unregister` returns the record once, then `None`.
pub fn an_unregistered_connection_is_found_nowhere<R: ConnectionRegistry>(registry: &R) {
    register(registry, 1, "alice", &["admin"]);
    register(registry, 2, "alice", &["admin"]);
    assert_eq!(registry.unregister(id(1)), Some(record(1, "alice", &["admin"])), "unregister returns the record");
    assert_eq!(registry.unregister(id(1)), None, "the second call returns None");
    assert!(registry.get(id(1)).is_none(), "the id is unknown");
    let found = (of_user(registry, "alice"), of_role(registry, "admin"), all(registry));
    assert_eq!(found, (vec![id(2)], vec![id(2)], vec![id(2)]), "only the other one remains");
    register(registry, 1, "bob", &[]);
    assert_eq!((of_user(registry, "bob"), registry.count()), (vec![id(1)], 2), "a free id can be registered again");
}

/// A removed role no longer finds it, an added role does, and a kept role still does.
pub fn new_roles_change_where_a_connection_is_found<R: ConnectionRegistry>(registry: &R) {
    register(registry, 1, "alice", &["admin", "staff"]);
    register(registry, 2, "bob", &["admin"]);
    let roles = Some(vec![role("staff"), role("audit"), role("audit")]);
    let new =
        registry.update(id(1), ConnectionUpdate { roles, ..ConnectionUpdate::default() }).expect("it is registered");
    assert_eq!(new.roles, [role("audit"), role("staff")], "the new record has each new role once");
    assert_eq!(registry.get(id(1)).map(|(record, _)| record), Some(new), "the new record is what is found");
    assert_eq!(of_role(registry, "admin"), [id(2)], "the removed role finds only the others");
    assert_eq!(of_role(registry, "staff"), [id(1)], "the kept role still finds it");
    assert_eq!(of_role(registry, "audit"), [id(1)], "the added role finds it, once");
    registry.unregister(id(1));
    let left = (of_role(registry, "staff"), of_role(registry, "audit"), of_user(registry, "alice"));
    assert_eq!(left, (vec![], vec![], vec![]), "no role of either record finds it afterwards");
}

/// New roles keep the metadata and the reverse; an unknown id changes nothing.
pub fn an_update_of_one_field_keeps_the_other<R: ConnectionRegistry>(registry: &R) {
    register(registry, 1, "alice", &["admin"]);
    let metadata: Metadata = [("plan".to_owned(), "gold".into())].into_iter().collect();
    let change = ConnectionUpdate { metadata: Some(metadata.clone()), ..ConnectionUpdate::default() };
    let new = registry.update(id(1), change.clone()).expect("it is registered");
    assert_eq!((&new.metadata, &new.roles[..]), (&metadata, &[role("admin")][..]), "only the metadata is new");
    let roles = ConnectionUpdate { roles: Some(vec![]), ..ConnectionUpdate::default() };
    let new = registry.update(id(1), roles).expect("it is registered");
    assert_eq!((&new.metadata, new.roles.len()), (&metadata, 0), "only the roles are new");
    assert_eq!(of_role(registry, "admin"), [], "a removed role finds no connection");
    assert_eq!(registry.update(id(9), change), None, "an unknown id has nothing to change");
    assert_eq!(registry.count(), 1, "and an update does not add it");
}

/// With many connections of a user or role, and after half of them were removed.
pub fn each_socket_is_shown_once<R: ConnectionRegistry>(registry: &R) {
    const MANY: usize = 500;
    for n in 0..MANY {
        register(registry, n, "alice", &["staff"]);
    }
    let everyone: Vec<_> = (0..MANY).map(id).collect();
    let found = (all(registry), of_user(registry, "alice"), of_role(registry, "staff"));
    assert!(found == (everyone.clone(), everyone.clone(), everyone), "each of {MANY} connections is shown once");
    for n in (0..MANY).step_by(2) {
        registry.unregister(id(n));
    }
    let rest: Vec<_> = (1..MANY).step_by(2).map(id).collect();
    let found = (all(registry), of_user(registry, "alice"), of_role(registry, "staff"));
    assert!(found == (rest.clone(), rest.clone(), rest), "each remaining one is shown once");
    assert_eq!(registry.count(), MANY / 2, "the count follows");
}

/// A visitor on another thread never receives a socket that was unregistered.
pub fn no_socket_is_shown_after_unregister_has_returned<R: ConnectionRegistry>(registry: &R) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for selection in [Selection::All, Selection::User(user("alice")), Selection::Role(role("staff"))] {
            let done = &done;
            scope.spawn(move || {
                while !done.load(SeqCst) {
                    registry.visit(&selection, &mut |socket: &Arc<dyn WebSocketConnection>| {
                        assert!(socket.is_open(), "{selection:?} showed a socket after its unregister had returned");
                    });
                }
            });
        }
        for _ in 0..500 {
            let socket = Bystander::new(1);
            socket.expected.store(true, SeqCst);
            let registered = registry.register(record(1, "alice", &["staff"]), Arc::clone(&socket) as _);
            let found = of_user(registry, "alice");
            registry.unregister(id(1));
            socket.expected.store(false, SeqCst);
            if registered.is_err() || found != [id(1)] {
                done.store(true, SeqCst);
            }
            assert_eq!((registered, found), (Ok(()), vec![id(1)]), "a socket is shown once register has returned");
        }
        done.store(true, SeqCst);
    });
}

/// Threads register, change and unregister the same ids; no entry remains.
pub fn busy_threads_leave_no_entry_behind<R: ConnectionRegistry>(registry: &R) {
    const ROLES: [&str; 3] = ["admin", "staff", "audit"];
    const USERS: [&str; 2] = ["alice", "bob"];
    thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || {
                let mut dice = Dice::new(seed);
                for _ in 0..2_000 {
                    let n = dice.below(16);
                    match dice.below(4) {
                        0 => drop(registry.unregister(id(n))),
                        1 => {
                            let roles = Some(vec![role(ROLES[dice.below(3)]), role(ROLES[dice.below(3)])]);
                            registry.update(id(n), ConnectionUpdate { roles, ..ConnectionUpdate::default() });
                        }
                        2 => {
                            of_role(registry, ROLES[dice.below(3)]);
                        }
                        _ => {
                            let record = record(n, USERS[dice.below(2)], &[ROLES[dice.below(3)]]);
                            // Often registered already, by this thread or another.
                            let _ = registry.register(record, Bystander::new(n));
                        }
                    }
                }
            });
        }
    });
    let left = all(registry);
    assert_eq!(registry.count(), left.len(), "the count is that of the connections");
    for name in ROLES {
        let expected: Vec<_> = left.iter().copied().filter(|id| has_role(registry, *id, name)).collect();
        assert_eq!(of_role(registry, name), expected, "the role {name} finds the connections whose records have it");
    }
    for id in left {
        assert!(registry.unregister(id).is_some(), "a listed connection can be unregistered");
    }
    assert_eq!((all(registry), registry.count()), (vec![], 0), "all are gone");
    for name in ROLES {
        assert_eq!(of_role(registry, name), [], "the role {name} keeps no removed connection");
    }
    for name in USERS {
        assert_eq!(of_user(registry, name), [], "the user {name} keeps no removed connection");
    }
}

fn has_role<R: ConnectionRegistry>(registry: &R, id: ConnectionId, name: &str) -> bool {
    registry.get(id).is_some_and(|(record, _)| record.roles.contains(&role(name)))
}
