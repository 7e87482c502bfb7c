//! The registry, compared with a simple model under random operations.

use std::collections::BTreeSet;

use proptest::prelude::*;
use realtime_schema::{JwtClaims, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::connection::{Metadata, record};

fn id(n: u8) -> ConnectionId {
    ConnectionId(Uuid::from_u128(u128::from(n)))
}

fn user(n: u8) -> UserId {
    UserId::new(format!("user-{n}")).expect("a user")
}

fn role(n: u8) -> Role {
    Role::new(format!("role-{n}")).expect("a role")
}

fn connection(n: u8, of: u8, roles: &[u8]) -> Arc<Connection> {
    let mut made = record(id(n), &JwtClaims::new(user(of)), None, Timestamp::EPOCH);
    // May contain a role twice: an application may make its records itself.
    made.roles = roles.iter().copied().map(role).collect();
    Arc::new(made)
}

fn register(registry: &mut Registry<(ConnectionId, u8)>, record: Arc<Connection>, tag: u8) -> bool {
    let listener = (record.id, tag);
    registry.register(record, listener)
}

fn tags(listeners: &[(ConnectionId, u8)]) -> Vec<u8> {
    let mut all: Vec<_> = listeners.iter().map(|(_, tag)| *tag).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_connection_is_found_by_id_user_and_each_of_its_roles() {
    let mut registry = Registry::default();
    assert!(register(&mut registry, connection(1, 1, &[1, 2]), 1));
    assert!(register(&mut registry, connection(2, 1, &[2]), 2));
    assert!(register(&mut registry, connection(3, 2, &[]), 3));
    assert_eq!(tags(registry.of_user(&user(1))), [1, 2]);
    assert_eq!(tags(registry.of_role(&role(1))), [1]);
    assert_eq!(tags(registry.of_role(&role(2))), [1, 2]);
    assert_eq!(registry.get(id(3)).map(|found| found.listener), Some((id(3), 3)));
    assert_eq!((registry.count(), registry.user_count(), registry.role_count()), (3, 2, 2));
}

#[test]
fn a_second_registration_of_an_id_is_refused_and_the_first_stays() {
    let mut registry = Registry::new();
    assert!(register(&mut registry, connection(1, 1, &[1]), 1));
    assert!(!register(&mut registry, connection(1, 2, &[2]), 2));
    assert_eq!(tags(registry.of_user(&user(1))), [1]);
    assert!(registry.of_user(&user(2)).is_empty() && registry.of_role(&role(2)).is_empty());
}

#[test]
fn a_table_keeps_the_first_connection_of_an_id() {
    let mut table = ConnectionTable::default();
    assert!(table.insert(connection(1, 1, &[]), (id(1), 1)));
    assert!(!table.insert(connection(1, 2, &[]), (id(1), 2)));
    assert_eq!(table.get(id(1)).map(|found| (&found.record.user, found.listener.1)), Some((&user(1), 1)));
    assert_eq!(table.count(), 1);
}

#[test]
fn the_ids_of_a_table_come_in_their_order_from_any_of_them_on() {
    let mut table = ConnectionTable::default();
    for n in [5, 1, 9, 3] {
        table.insert(connection(n, 1, &[]), (id(n), n));
    }
    let after = |table: &ConnectionTable<_>, cursor: Option<u8>| table.ids_after(cursor.map(id)).collect::<Vec<_>>();
    assert_eq!(after(&table, None), [id(1), id(3), id(5), id(9)]);
    table.remove(id(3));
    assert_eq!(after(&table, Some(1)), [id(5), id(9)]);
    assert_eq!(after(&table, Some(3)), [id(5), id(9)], "the cursor need not be there any more");
    assert_eq!(after(&table, Some(9)), []);
}

#[test]
fn new_roles_change_the_index_and_new_metadata_does_not() {
    let mut registry = Registry::new();
    register(&mut registry, connection(1, 1, &[1, 2]), 1);
    let roles = Some(vec![role(3), role(2)]);
    let new = registry.update(id(1), ConnectionUpdate { roles, ..ConnectionUpdate::default() }).expect("registered");
    assert_eq!(new.roles, [role(2), role(3)]);
    assert!(registry.of_role(&role(1)).is_empty());
    assert_eq!((tags(registry.of_role(&role(2))), tags(registry.of_role(&role(3)))), (vec![1], vec![1]));
    let metadata: Metadata = json!({"plan": "gold"}).as_object().cloned().expect("an object");
    registry.update(id(1), ConnectionUpdate { metadata: Some(metadata.clone()), ..ConnectionUpdate::default() });
    let found = registry.get(id(1)).expect("registered");
    assert_eq!((&found.record.metadata, found.record.roles.len()), (&metadata, 2));
    assert!(registry.update(id(9), ConnectionUpdate::default()).is_none());
}

#[test]
fn an_unregistered_connection_is_found_nowhere() {
    let mut registry = Registry::new();
    register(&mut registry, connection(1, 1, &[1, 1]), 1);
    assert!(registry.unregister(id(1)).is_some() && registry.unregister(id(1)).is_none());
    assert_eq!((registry.count(), registry.user_count(), registry.role_count()), (0, 0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Register(u8, u8, Vec<u8>),
    Unregister(u8),
    Roles(u8, Vec<u8>),
    Metadata(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let roles = || proptest::collection::vec(0_u8..5, 0..5);
    prop_oneof![
        4 => (0_u8..50, 0_u8..4, roles()).prop_map(|(n, of, roles)| Step::Register(n, of, roles)),
        2 => (0_u8..50).prop_map(Step::Unregister),
        3 => (0_u8..50, roles()).prop_map(|(n, roles)| Step::Roles(n, roles)),
        1 => (0_u8..50, 0_u8..3).prop_map(|(n, value)| Step::Metadata(n, value)),
    ]
}

proptest! {
    #[test]
    fn the_registry_behaves_like_a_list_of_records(steps in proptest::collection::vec(step(), 0..200)) {
        let mut registry = Registry::new();
        let mut model = Vec::<(Connection, u8)>::new();
        for step in steps {
            let known = |n: u8, model: &[(Connection, u8)]| model.iter().position(|(record, _)| record.id == id(n));
            match step {
                Step::Register(n, of, roles) => {
                    let record = connection(n, of, &roles);
                    let new = known(n, &model).is_none();
                    prop_assert_eq!(register(&mut registry, Arc::clone(&record), n), new);
                    if new {
                        model.push(((*record).clone(), n));
                    }
                }
                Step::Unregister(n) => {
                    let expected = known(n, &model).map(|at| model.remove(at).0);
                    prop_assert_eq!(registry.unregister(id(n)).map(|gone| (*gone.record).clone()), expected);
                }
                Step::Roles(n, roles) => {
                    let roles: BTreeSet<_> = roles.into_iter().map(role).collect();
                    let change = ConnectionUpdate { roles: Some(roles.iter().cloned().collect()), ..ConnectionUpdate::default() };
                    let at = known(n, &model);
                    if let Some(at) = at {
                        model[at].0.roles = roles.into_iter().collect();
                    }
                    let updated = registry.update(id(n), change).map(|new| (*new).clone());
                    prop_assert_eq!(updated, at.map(|at| model[at].0.clone()));
                }
                Step::Metadata(n, value) => {
                    let metadata: Metadata = [("k".to_owned(), json!(value))].into_iter().collect();
                    if let Some(at) = known(n, &model) {
                        model[at].0.metadata = metadata.clone();
                    }
                    registry.update(id(n), ConnectionUpdate { metadata: Some(metadata), ..ConnectionUpdate::default() });
                }
            }
            let expect = |wanted: &dyn Fn(&Connection) -> bool| {
                let mut all: Vec<_> = model.iter().filter(|(record, _)| wanted(record)).map(|(_, tag)| *tag).collect();
                all.sort_unstable();
                all
            };
            for n in 0..50 {
                let found = registry.get(id(n)).map(|found| (&*found.record, found.listener.1));
                prop_assert_eq!(found, model.iter().find(|(record, _)| record.id == id(n)).map(|(r, tag)| (r, *tag)));
            }
            for n in 0..5 {
                prop_assert_eq!(tags(registry.of_user(&user(n))), expect(&|record| record.user == user(n)));
                prop_assert_eq!(tags(registry.of_role(&role(n))), expect(&|record| record.roles.contains(&role(n))));
            }
            let mut all: Vec<_> = registry.all().map(|found| found.listener.1).collect();
            all.sort_unstable();
            prop_assert_eq!(all, expect(&|_| true));
            prop_assert_eq!(registry.count(), model.len());
            let users: BTreeSet<_> = model.iter().map(|(record, _)| &record.user).collect();
            let roles: BTreeSet<_> = model.iter().flat_map(|(record, _)| &record.roles).collect();
            prop_assert_eq!((registry.user_count(), registry.role_count()), (users.len(), roles.len()));
        }
    }
}
