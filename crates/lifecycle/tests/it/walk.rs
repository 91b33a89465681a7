//! Every (state, action, role) triple, under every combination of facts.

use std::collections::BTreeSet;

use deed_lifecycle::{
    Action, Denied, Facts, Guard, MOST_REVISIONS, Role, Roles, State, TABLE, VerdictMode, allowed,
    awaited, decide,
};

/// Every combination of what can be true of a record.
fn all_facts() -> Vec<Facts> {
    let mut all = Vec::new();
    for mode in VerdictMode::ALL {
        for bits in 0..128_u8 {
            let bit = |n: u8| bits & (1 << n) != 0;
            all.push(Facts {
                mode,
                deadline_passed: bit(0),
                performer_named: bit(1),
                revisions: if bit(2) { MOST_REVISIONS } else { MOST_REVISIONS - 1 },
                disputed: bit(3),
                reevaluation_due: bit(4),
                concerns_newest: bit(5),
                verdict_by_rules: bit(6),
            });
        }
    }
    all
}

/// Who may do what in each state when no guard stands in the way: written down a second time, by
/// hand, so that a slip in the table shows.
const MAY: [(State, &[(Role, &str)]); 18] = [
    (
        State::Draft,
        &[
            (Role::Principal, "amend propose activate cancel"),
            (Role::Admin, "cancel"),
            (Role::System, "expire"),
        ],
    ),
    (
        State::Proposed,
        &[
            (Role::Principal, "cancel"),
            (Role::Performer, "accept refuse"),
            (Role::Admin, "cancel"),
            (Role::System, "expire"),
        ],
    ),
    (
        State::Accepted,
        &[(Role::Principal, "activate cancel"), (Role::Admin, "cancel"), (Role::System, "expire")],
    ),
    (
        State::Active,
        &[
            (Role::Principal, "cancel"),
            (Role::Performer, "complete"),
            (Role::Admin, "cancel"),
            (Role::System, "expire"),
        ],
    ),
    (
        State::Evaluating,
        &[(Role::System, "evaluation-passed evaluation-failed evaluation-undecided")],
    ),
    (
        State::AwaitingVerdict,
        &[
            (Role::Principal, "verdict-accept verdict-reject request-revision"),
            (Role::Admin, "verdict-accept verdict-reject"),
        ],
    ),
    (
        State::AwaitingConfirmation,
        &[
            (Role::Principal, "verdict-accept verdict-reject request-revision"),
            (Role::Admin, "verdict-accept verdict-reject"),
        ],
    ),
    (
        State::Rework,
        &[
            (Role::Principal, "cancel"),
            (Role::Performer, "complete"),
            (Role::Admin, "cancel"),
            (Role::System, "expire"),
        ],
    ),
    (
        State::DisputedTier1,
        &[
            (Role::Principal, "resolve-overturn resolve-remediate escalate-to-review"),
            (Role::Performer, "withdraw-dispute escalate-to-review"),
            (Role::Admin, "escalate-to-human"),
            (Role::System, "reevaluation-passed reevaluation-failed"),
        ],
    ),
    (
        State::DisputedTier2,
        &[
            (Role::Principal, "escalate-to-human"),
            (Role::Performer, "withdraw-dispute escalate-to-human"),
            (Role::Accessor, "resolve-overturn resolve-remediate resolve-uphold escalate-to-human"),
            (Role::Admin, "escalate-to-human"),
        ],
    ),
    (
        State::DisputedTier3,
        &[
            (Role::Performer, "withdraw-dispute"),
            (Role::Admin, "resolve-overturn resolve-remediate resolve-uphold"),
        ],
    ),
    (State::Recorded, &[]),
    (State::Fulfilled, &[]),
    (State::Failed, &[(Role::Performer, "dispute")]),
    (State::Expired, &[]),
    (State::Cancelled, &[]),
    (State::Rejected, &[]),
    (State::Remediated, &[]),
];

fn expected(state: State, role: Role) -> BTreeSet<&'static str> {
    let of_state = MAY.iter().find(|(s, _)| *s == state).unwrap().1;
    let of_role = of_state.iter().find(|(r, _)| *r == role);
    of_role.map(|(_, actions)| actions.split(' ').collect()).unwrap_or_default()
}

#[test]
fn every_triple_is_allowed_or_refused_as_written_down() {
    let facts = all_facts();
    for state in State::ALL {
        for role in Role::ALL {
            let possible: BTreeSet<&str> = facts
                .iter()
                .flat_map(|facts| allowed(state, Roles::of(&[role]), facts))
                .map(|row| row.action.as_str())
                .collect();
            assert_eq!(possible, expected(state, role), "{} {}", state.as_str(), role.as_str());
            for action in Action::ALL {
                for facts in &facts {
                    check(state, action, role, facts);
                }
            }
        }
    }
}

/// One triple: it is allowed exactly when a row says so, and a refusal names a true reason.
fn check(state: State, action: Action, role: Role, facts: &Facts) {
    let name = format!("{} {} {} {facts:?}", state.as_str(), action.as_str(), role.as_str());
    let rows: Vec<_> = TABLE.iter().filter(|r| r.from == state && r.action == action).collect();
    let mine: Vec<_> = rows.iter().filter(|row| row.roles.has(role)).collect();
    let open: Vec<_> = mine.iter().filter(|r| r.guards.iter().all(|g| g.holds(facts))).collect();
    assert!(open.len() <= 1, "{name}: two ways");
    match decide(state, action, Roles::of(&[role]), facts) {
        Ok(row) => assert_eq!(Some(&row), open.first().map(|row| **row), "{name}"),
        Err(Denied::State) => assert!(rows.is_empty(), "{name}"),
        Err(Denied::Role(roles)) => {
            assert!(!rows.is_empty() && mine.is_empty() && !roles.has(role), "{name}");
            assert!(roles.iter().all(|r| rows.iter().any(|row| row.roles.has(r))), "{name}");
        }
        Err(Denied::Guard(guard)) => {
            assert!(open.is_empty() && !guard.holds(facts), "{name}: {}", guard.as_str());
            assert!(mine.iter().any(|row| row.guards.contains(&guard)), "{name}");
        }
    }
    let listed = allowed(state, Roles::of(&[role]), facts).any(|row| row.action == action);
    assert_eq!(listed, !open.is_empty(), "{name}: the list of what is allowed says otherwise");
}

#[test]
fn seven_states_are_terminal_and_only_a_failure_can_be_reopened() {
    let terminal: Vec<State> = State::ALL.into_iter().filter(|s| s.is_terminal()).collect();
    assert_eq!(terminal.len(), 7);
    assert_eq!(State::ALL.len() - terminal.len(), 11);
    for state in terminal {
        let ways = TABLE.iter().filter(|row| row.from == state).collect::<Vec<_>>();
        let reopens = ways.iter().all(|row| row.action == Action::Dispute);
        assert!(ways.is_empty() || (state == State::Failed && reopens), "{}", state.as_str());
        assert!(!state.has_running_deadline());
        assert!(all_facts().iter().all(|facts| awaited(state, facts).is_empty()));
    }
}

#[test]
fn every_state_is_reached_and_every_open_one_can_be_left() {
    let mut reached: BTreeSet<State> = deed_lifecycle::ENTRANCES.iter().map(|e| e.0).collect();
    loop {
        let before = reached.len();
        reached.extend(
            TABLE.iter().filter(|r| reached.contains(&r.from)).map(|r| r.to).collect::<Vec<_>>(),
        );
        if reached.len() == before {
            break;
        }
    }
    assert_eq!(reached.len(), State::ALL.len());
    for state in State::ALL.into_iter().filter(|state| !state.is_terminal()) {
        for facts in all_facts() {
            let facts = Facts { concerns_newest: true, ..facts };
            let leaves = Role::ALL.into_iter().any(|role| {
                allowed(state, Roles::of(&[role]), &facts).any(|row| row.to != row.from)
            });
            assert!(leaves, "{} is a dead end under {facts:?}", state.as_str());
        }
    }
}

#[test]
fn signals_follow_the_verdict() {
    for row in &TABLE {
        let expected = match (row.from, row.to) {
            (State::DisputedTier1 | State::DisputedTier2 | State::DisputedTier3, State::Failed) => {
                None // the failure stands, and so does its HOLD
            }
            (State::DisputedTier1 | State::DisputedTier2 | State::DisputedTier3, to)
                if to.is_terminal() =>
            {
                Some("RELEASE")
            }
            (_, State::Fulfilled) => Some("SETTLE"),
            (_, State::Failed) => Some("HOLD"),
            _ => None,
        };
        assert_eq!(row.signal.map(|s| s.as_str()), expected, "{row:?}");
    }
}

#[test]
fn names_are_distinct_and_stand_for_what_they_name() {
    let states: BTreeSet<&str> = State::ALL.iter().map(|s| s.as_str()).collect();
    assert_eq!(states.len(), State::ALL.len());
    assert!(State::ALL.iter().all(|s| State::parse(s.as_str()) == Some(*s)));
    let actions: BTreeSet<&str> = Action::ALL.iter().map(|a| a.as_str()).collect();
    assert_eq!(actions.len(), Action::ALL.len());
    assert!(Action::ALL.iter().all(|a| TABLE.iter().any(|row| row.action == *a)));
    let guards: BTreeSet<&str> = Guard::ALL.iter().map(|g| g.as_str()).collect();
    assert_eq!(guards.len(), Guard::ALL.len());
    assert!(Guard::ALL.iter().all(|g| TABLE.iter().any(|row| row.guards.contains(g))));
    assert!(VerdictMode::ALL.iter().all(|m| VerdictMode::parse(m.as_str()) == Some(*m)));
    assert_eq!(State::parse("recorded"), None);
}

#[test]
fn several_roles_allow_what_each_of_them_allows() {
    let both = Roles::of(&[Role::Principal, Role::Performer]);
    for state in State::ALL {
        for facts in all_facts() {
            let together: Vec<_> = allowed(state, both, &facts).map(|row| row.action).collect();
            for role in both.iter() {
                let alone = allowed(state, Roles::of(&[role]), &facts);
                assert!(alone.map(|row| row.action).all(|action| together.contains(&action)));
            }
            assert_eq!(allowed(state, Roles::NONE, &facts).count(), 0);
        }
    }
}

#[test]
fn without_the_principal_the_server_ends_a_record_only_by_its_deadline_or_in_mode_auto() {
    for facts in all_facts().into_iter().filter(|facts| facts.mode != VerdictMode::Auto) {
        for state in State::ALL {
            for row in allowed(state, Roles::of(&[Role::System]), &facts) {
                let ends = row.to.is_terminal() && row.action != Action::Expire;
                assert!(!ends, "{row:?} under {facts:?}");
            }
        }
    }
}

#[test]
fn an_administrator_alone_brings_to_an_end_whatever_agents_have_left_lying() {
    let admin = Roles::of(&[Role::Admin]);
    // Rules that cannot judge are given up by the worker: that state waits for no agent.
    for state in State::ALL.into_iter().filter(|s| !s.is_terminal() && *s != State::Evaluating) {
        for facts in all_facts() {
            let mut reached = BTreeSet::from([state]);
            for _ in 0..State::ALL.len() {
                let next = reached.iter().flat_map(|from| allowed(*from, admin, &facts));
                let next: Vec<State> = next.map(|row| row.to).collect();
                reached.extend(next);
            }
            assert!(reached.iter().any(|s| s.is_terminal()), "{} {facts:?}", state.as_str());
        }
    }
}

#[test]
fn an_administrator_is_waited_for_in_the_last_tier_alone() {
    for state in State::ALL {
        let awaits = all_facts().iter().any(|facts| awaited(state, facts).has(Role::Admin));
        assert_eq!(awaits, state == State::DisputedTier3, "{}", state.as_str());
    }
}

#[test]
fn rules_overturn_no_verdict_but_their_own() {
    for facts in all_facts().into_iter().filter(|facts| !facts.verdict_by_rules) {
        for state in [State::DisputedTier1, State::DisputedTier2, State::DisputedTier3] {
            assert_eq!(allowed(state, Roles::of(&[Role::System]), &facts).count(), 0);
        }
    }
}
