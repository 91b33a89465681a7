//! The one table.

use crate::Action::{
    Accept, Activate, Amend, Cancel, Complete, Dispute, EscalateToHuman, EscalateToReview,
    EvaluationFailed, EvaluationPassed, EvaluationUndecided, Expire, Propose, ReevaluationFailed,
    ReevaluationPassed, Refuse, RequestRevision, ResolveOverturn, ResolveRemediate, ResolveUphold,
    VerdictAccept, VerdictReject, WithdrawDispute,
};
use crate::Guard::{
    BeforeDeadline, ConcernsNewest, DeadlinePassed, NotDisputedBefore, PerformerNamed,
    PrincipalConfirms, PrincipalJudges, ReevaluationDue, RevisionsLeft, RulesDecide, RulesJudge,
    VerdictByRules,
};
use crate::Role::{Accessor, Admin, Performer, Principal, System};
use crate::State::{
    Accepted, Active, AwaitingConfirmation, AwaitingVerdict, Cancelled, DisputedTier1,
    DisputedTier2, DisputedTier3, Draft, Evaluating, Expired, Failed, Fulfilled, Proposed,
    Recorded, Rejected, Remediated, Rework,
};
use crate::{Action, Guard, Role, Roles, State};

/// What a verdict tells whoever settles: it never moves anything itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Settle as agreed.
    Settle,
    /// Hold back what was agreed.
    Hold,
    /// Release what was held back.
    Release,
}

impl Signal {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settle => "SETTLE",
            Self::Hold => "HOLD",
            Self::Release => "RELEASE",
        }
    }
}

/// One row: in `from`, a party with one of `roles` may do `action` if all of `guards` hold; the
/// record is `to` afterwards.
#[derive(Debug, PartialEq, Eq)]
pub struct Transition {
    /// State before.
    pub from: State,
    /// What is done.
    pub action: Action,
    /// Who may do it.
    pub roles: Roles,
    /// What else must hold.
    pub guards: &'static [Guard],
    /// State after.
    pub to: State,
    /// What it tells whoever settles.
    pub signal: Option<Signal>,
}

/// The states that a new record can have, with what brings it there.
pub const ENTRANCES: [(State, &str); 3] = [
    (Recorded, "notarize: a Type without a completion schema"),
    (Draft, "create: a Type with a completion schema"),
    (Active, "create with autoActivate"),
];

const fn row(
    from: State,
    action: Action,
    roles: &[Role],
    guards: &'static [Guard],
    to: State,
) -> Transition {
    Transition { from, action, roles: Roles::of(roles), guards, to, signal: None }
}

const fn signalling(row: Transition, signal: Signal) -> Transition {
    Transition { signal: Some(signal), ..row }
}

const fn settle(
    from: State,
    action: Action,
    roles: &[Role],
    guards: &'static [Guard],
) -> Transition {
    signalling(row(from, action, roles, guards, Fulfilled), Signal::Settle)
}

const fn hold(from: State, action: Action, roles: &[Role], guards: &'static [Guard]) -> Transition {
    signalling(row(from, action, roles, guards, Failed), Signal::Hold)
}

const fn release(from: State, action: Action, role: Role, to: State) -> Transition {
    signalling(row(from, action, &[role], &[], to), Signal::Release)
}

/// Every transition there is.
pub const TABLE: [Transition; 48] = [
    // Negotiation.
    row(Draft, Amend, &[Principal], &[BeforeDeadline], Draft),
    row(Draft, Propose, &[Principal], &[BeforeDeadline], Proposed),
    row(Draft, Activate, &[Principal], &[BeforeDeadline, PerformerNamed], Active),
    row(Draft, Cancel, &[Principal, Admin], &[], Cancelled),
    row(Draft, Expire, &[System], &[DeadlinePassed], Expired),
    row(Proposed, Accept, &[Performer], &[BeforeDeadline], Accepted),
    row(Proposed, Refuse, &[Performer], &[], Rejected),
    row(Proposed, Cancel, &[Principal, Admin], &[], Cancelled),
    row(Proposed, Expire, &[System], &[DeadlinePassed], Expired),
    row(Accepted, Activate, &[Principal], &[BeforeDeadline], Active),
    row(Accepted, Cancel, &[Principal, Admin], &[], Cancelled),
    row(Accepted, Expire, &[System], &[DeadlinePassed], Expired),
    // Work.
    row(Active, Complete, &[Performer], &[BeforeDeadline, PrincipalJudges], AwaitingVerdict),
    row(Active, Complete, &[Performer], &[BeforeDeadline, RulesJudge], Evaluating),
    row(Active, Cancel, &[Principal, Admin], &[], Cancelled),
    row(Active, Expire, &[System], &[DeadlinePassed], Expired),
    row(Rework, Complete, &[Performer], &[BeforeDeadline, PrincipalJudges], AwaitingVerdict),
    row(Rework, Complete, &[Performer], &[BeforeDeadline, RulesJudge], Evaluating),
    row(Rework, Cancel, &[Principal, Admin], &[], Cancelled),
    row(Rework, Expire, &[System], &[DeadlinePassed], Expired),
    // Verdict by the rules.
    settle(Evaluating, EvaluationPassed, &[System], &[ConcernsNewest, RulesDecide]),
    row(
        Evaluating,
        EvaluationPassed,
        &[System],
        &[ConcernsNewest, PrincipalConfirms],
        AwaitingConfirmation,
    ),
    hold(Evaluating, EvaluationFailed, &[System], &[ConcernsNewest, RulesDecide]),
    row(
        Evaluating,
        EvaluationFailed,
        &[System],
        &[ConcernsNewest, PrincipalConfirms],
        AwaitingConfirmation,
    ),
    row(Evaluating, EvaluationUndecided, &[System], &[ConcernsNewest], AwaitingVerdict),
    // Verdict by the principal. An administrator stands in for one that is gone: the performer is
    // owed a verdict, which a cancellation would not be, and may dispute it like any other.
    settle(AwaitingVerdict, VerdictAccept, &[Principal, Admin], &[]),
    hold(AwaitingVerdict, VerdictReject, &[Principal, Admin], &[]),
    row(AwaitingVerdict, RequestRevision, &[Principal], &[BeforeDeadline, RevisionsLeft], Rework),
    settle(AwaitingConfirmation, VerdictAccept, &[Principal, Admin], &[]),
    hold(AwaitingConfirmation, VerdictReject, &[Principal, Admin], &[]),
    row(
        AwaitingConfirmation,
        RequestRevision,
        &[Principal],
        &[BeforeDeadline, RevisionsLeft],
        Rework,
    ),
    // Disputes. Rules judge again only what they have decided themselves: the verdict of a principal, also
    // one that they left to it because they could not decide, is overturned by a party alone. An
    // administrator takes a dispute over that the parties leave lying.
    row(Failed, Dispute, &[Performer], &[NotDisputedBefore], DisputedTier1),
    signalling(
        row(
            DisputedTier1,
            ReevaluationPassed,
            &[System],
            &[ConcernsNewest, RulesDecide, VerdictByRules, ReevaluationDue],
            Fulfilled,
        ),
        Signal::Release,
    ),
    row(
        DisputedTier1,
        ReevaluationFailed,
        &[System],
        &[ConcernsNewest, RulesDecide, VerdictByRules, ReevaluationDue],
        DisputedTier1,
    ),
    release(DisputedTier1, ResolveOverturn, Principal, Fulfilled),
    release(DisputedTier1, ResolveRemediate, Principal, Remediated),
    row(DisputedTier1, WithdrawDispute, &[Performer], &[], Failed),
    row(DisputedTier1, EscalateToReview, &[Principal, Performer], &[], DisputedTier2),
    row(DisputedTier1, EscalateToHuman, &[Admin], &[], DisputedTier3),
    release(DisputedTier2, ResolveOverturn, Accessor, Fulfilled),
    release(DisputedTier2, ResolveRemediate, Accessor, Remediated),
    row(DisputedTier2, ResolveUphold, &[Accessor], &[], Failed),
    row(DisputedTier2, WithdrawDispute, &[Performer], &[], Failed),
    row(
        DisputedTier2,
        EscalateToHuman,
        &[Principal, Performer, Accessor, Admin],
        &[],
        DisputedTier3,
    ),
    release(DisputedTier3, ResolveOverturn, Admin, Fulfilled),
    release(DisputedTier3, ResolveRemediate, Admin, Remediated),
    row(DisputedTier3, ResolveUphold, &[Admin], &[], Failed),
    row(DisputedTier3, WithdrawDispute, &[Performer], &[], Failed),
];
