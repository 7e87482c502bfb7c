//! Interns role and grant names: a thousand connections of one role share its text.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use realtime_schema::{Grant, JwtClaims, Role};

/// Names that are remembered; beyond them all are forgotten, and those in use are learned anew.
const MOST: usize = 1024;

/// The roles and the grants of the tokens seen of late.
#[derive(Debug, Default)]
pub(crate) struct Names {
    roles: Known<Role>,
    grants: Known<Grant>,
}

impl Names {
    /// Has `claims` share the names that others had before.
    pub(crate) fn share(&self, claims: &mut JwtClaims) {
        self.roles.share(&mut claims.roles);
        self.grants.share(&mut claims.grants);
    }
}

#[derive(Debug)]
struct Known<T>(Mutex<HashSet<T>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Eq + Hash> Known<T> {
    fn share(&self, names: &mut [T]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if let Some(shared) = known.get(name) {
                *name = shared.clone();
                continue;
            }
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str) -> Role {
        Role::new(name).expect("a role")
    }

    #[test]
    fn equal_names_share_their_text_and_stay_equal() {
        let known = Known::default();
        let (mut first, mut second) = ([role("admin"), role("member")], [role("member"), role("guest")]);
        known.share(&mut first);
        known.share(&mut second);
        assert_eq!(second, [role("member"), role("guest")]);
        assert!(std::ptr::eq(first[1].as_str(), second[0].as_str()));
    }

    #[test]
    fn names_that_are_never_the_same_do_not_pile_up() {
        let known = Known::default();
        for n in 0..3 * MOST {
            known.share(&mut [role(&format!("role-{n}"))]);
        }
        assert!(known.0.lock().expect("a lock").len() <= MOST);
    }
}
