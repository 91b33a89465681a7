//! What can be done to a record.

/// An action. The name on the wire is [`Action::as_str`]; [`Action::event`] is the kind of the
/// entry and of the event that it leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Replace criteria, deadline or limits of a draft.
    Amend,
    /// Offer the work to the performer.
    Propose,
    /// Agree to do the work.
    Accept,
    /// Refuse to do the work.
    Refuse,
    /// Lock the criteria and start the work.
    Activate,
    /// Hand in the work.
    Complete,
    /// Judge: the rules were met.
    EvaluationPassed,
    /// Judge: the rules were not met.
    EvaluationFailed,
    /// The rules could not judge.
    EvaluationUndecided,
    /// Accept the work.
    VerdictAccept,
    /// Reject the work.
    VerdictReject,
    /// Ask for a revised completion.
    RequestRevision,
    /// Call it off.
    Cancel,
    /// The deadline has passed.
    Expire,
    /// Contest a failure.
    Dispute,
    /// Judge again: with the wider tolerance the rules were met.
    ReevaluationPassed,
    /// Judge again: the rules were still not met.
    ReevaluationFailed,
    /// Hand the dispute to a third party.
    EscalateToReview,
    /// Hand the dispute to a human of the organisation.
    EscalateToHuman,
    /// Drop the dispute.
    WithdrawDispute,
    /// Decide that the work was good after all.
    ResolveOverturn,
    /// Decide that the failure stands.
    ResolveUphold,
    /// Decide that the failure was made good.
    ResolveRemediate,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 23] = [
        Self::Amend,
        Self::Propose,
        Self::Accept,
        Self::Refuse,
        Self::Activate,
        Self::Complete,
        Self::EvaluationPassed,
        Self::EvaluationFailed,
        Self::EvaluationUndecided,
        Self::VerdictAccept,
        Self::VerdictReject,
        Self::RequestRevision,
        Self::Cancel,
        Self::Expire,
        Self::Dispute,
        Self::ReevaluationPassed,
        Self::ReevaluationFailed,
        Self::EscalateToReview,
        Self::EscalateToHuman,
        Self::WithdrawDispute,
        Self::ResolveOverturn,
        Self::ResolveUphold,
        Self::ResolveRemediate,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amend => "amend",
            Self::Propose => "propose",
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Activate => "activate",
            Self::Complete => "complete",
            Self::EvaluationPassed => "evaluation-passed",
            Self::EvaluationFailed => "evaluation-failed",
            Self::EvaluationUndecided => "evaluation-undecided",
            Self::VerdictAccept => "verdict-accept",
            Self::VerdictReject => "verdict-reject",
            Self::RequestRevision => "request-revision",
            Self::Cancel => "cancel",
            Self::Expire => "expire",
            Self::Dispute => "dispute",
            Self::ReevaluationPassed => "reevaluation-passed",
            Self::ReevaluationFailed => "reevaluation-failed",
            Self::EscalateToReview => "escalate-to-review",
            Self::EscalateToHuman => "escalate-to-human",
            Self::WithdrawDispute => "withdraw-dispute",
            Self::ResolveOverturn => "resolve-overturn",
            Self::ResolveUphold => "resolve-uphold",
            Self::ResolveRemediate => "resolve-remediate",
        }
    }

    /// Kind of the entry and of the event.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Amend => "record.amended",
            Self::Propose => "record.proposed",
            Self::Accept => "record.accepted",
            Self::Refuse => "record.refused",
            Self::Activate => "record.activated",
            Self::Complete => "record.completed",
            Self::EvaluationPassed | Self::EvaluationFailed | Self::EvaluationUndecided => {
                "record.evaluated"
            }
            Self::VerdictAccept | Self::VerdictReject => "record.verdict",
            Self::RequestRevision => "record.revision-requested",
            Self::Cancel => "record.cancelled",
            Self::Expire => "record.expired",
            Self::Dispute => "record.disputed",
            Self::ReevaluationPassed | Self::ReevaluationFailed => "record.reevaluated",
            Self::EscalateToReview | Self::EscalateToHuman => "record.escalated",
            Self::WithdrawDispute => "record.dispute-withdrawn",
            Self::ResolveOverturn | Self::ResolveUphold | Self::ResolveRemediate => {
                "record.resolved"
            }
        }
    }

    /// What it does, for people and agents.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Amend => "replace criteria, deadline or limits of the draft",
            Self::Propose => "offer the work to the performer",
            Self::Accept => "agree to do the work",
            Self::Refuse => "refuse to do the work",
            Self::Activate => "lock the criteria and start the work",
            Self::Complete => "hand in the work, as evidence by the Type's completion schema",
            Self::EvaluationPassed => "the rules were met",
            Self::EvaluationFailed => "the rules were not met",
            Self::EvaluationUndecided => "the rules could not judge",
            Self::VerdictAccept => "accept the work",
            Self::VerdictReject => "reject the work for good",
            Self::RequestRevision => "ask for a revised completion",
            Self::Cancel => "call it off",
            Self::Expire => "the deadline has passed",
            Self::Dispute => "contest the failure; possible once",
            Self::ReevaluationPassed => "with the wider tolerance the rules were met",
            Self::ReevaluationFailed => "also with the wider tolerance the rules were not met",
            Self::EscalateToReview => {
                "hand the dispute to a third party, which may read this chain"
            }
            Self::EscalateToHuman => "hand the dispute to an administrator of the organisation",
            Self::WithdrawDispute => "drop the dispute; the failure stands",
            Self::ResolveOverturn => "decide that the work was good after all",
            Self::ResolveUphold => "decide that the failure stands",
            Self::ResolveRemediate => "decide that the failure was made good",
        }
    }
}
