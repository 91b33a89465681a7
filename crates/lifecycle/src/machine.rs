//! Looking a transition up.

use crate::{Action, Facts, Guard, Role, Roles, State, TABLE, Transition};

/// Why an action is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Nobody may do this in this state.
    State,
    /// Others may do it.
    Role(Roles),
    /// This condition does not hold.
    Guard(Guard),
}

/// The transition that `action` by a party with these roles makes.
///
/// # Errors
/// [`Denied`], the most telling reason: the state before the role, the role before a guard.
pub fn decide(
    from: State,
    action: Action,
    roles: Roles,
    facts: &Facts,
) -> Result<&'static Transition, Denied> {
    let mut denied = Denied::State;
    for row in TABLE.iter().filter(|row| row.from == from && row.action == action) {
        if row.roles.both(roles).is_empty() {
            denied = Denied::Role(row.roles);
            continue;
        }
        match row.guards.iter().find(|guard| !guard.holds(facts)) {
            None => return Ok(row),
            Some(guard) => denied = worse(denied, *guard),
        }
    }
    Err(denied)
}

/// Rows of one action differ in who judges; what a caller can act on is any other guard.
fn worse(so_far: Denied, guard: Guard) -> Denied {
    let about_mode = matches!(
        guard,
        Guard::PrincipalJudges | Guard::RulesJudge | Guard::RulesDecide | Guard::PrincipalConfirms
    );
    match so_far {
        Denied::Guard(_) if about_mode => so_far,
        _ => Denied::Guard(guard),
    }
}

/// The actions that a party with these roles may do now, in the order of the table.
pub fn allowed(
    from: State,
    roles: Roles,
    facts: &Facts,
) -> impl Iterator<Item = &'static Transition> + use<> {
    let facts = *facts;
    TABLE.iter().filter(move |row| {
        row.from == from
            && !row.roles.both(roles).is_empty()
            && row.guards.iter().all(|guard| guard.holds(&facts))
    })
}

/// Whose move it is: the roles that may bring a record further, other than by ending it
/// (cancellation, expiry). Nobody's in a terminal state. An administrator may stand in for others, but is
/// waited for in the last tier of a dispute alone.
#[must_use]
pub fn awaited(from: State, facts: &Facts) -> Roles {
    if from.is_terminal() {
        return Roles::NONE;
    }
    let waited_for = |role| role != Role::Admin || from == State::DisputedTier3;
    Role::ALL.into_iter().filter(|role| waited_for(*role)).fold(Roles::NONE, |set, role| {
        let moves = allowed(from, Roles::of(&[role]), facts)
            .any(|row| !matches!(row.action, Action::Cancel | Action::Expire | Action::Amend));
        set.with(role, moves)
    })
}
