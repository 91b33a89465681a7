//! Where a record is in its life.

/// A state. The name on the wire and in the database is [`State::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Made; its criteria may still be amended.
    Draft,
    /// Offered to the performer.
    Proposed,
    /// The performer has agreed; the principal has not started it yet.
    Accepted,
    /// The criteria are locked and the work is under way.
    Active,
    /// A completion waits for the rules.
    Evaluating,
    /// A completion waits for the principal.
    AwaitingVerdict,
    /// The rules have judged; the principal confirms or decides otherwise.
    AwaitingConfirmation,
    /// The principal asked for a revised completion.
    Rework,
    /// The performer contests a failure; the parties settle it among themselves.
    DisputedTier1,
    /// A third party that was granted access to the chain decides.
    DisputedTier2,
    /// A human of the organisation decides.
    DisputedTier3,
    /// Notarized: the only state of a Type without a completion schema.
    Recorded,
    /// The work was accepted.
    Fulfilled,
    /// The work was not accepted.
    Failed,
    /// The deadline passed before a completion was there.
    Expired,
    /// Called off.
    Cancelled,
    /// The performer refused the proposal.
    Rejected,
    /// A failure was made good.
    Remediated,
}

impl State {
    /// Every state: the non-terminal ones first.
    pub const ALL: [Self; 18] = [
        Self::Draft,
        Self::Proposed,
        Self::Accepted,
        Self::Active,
        Self::Evaluating,
        Self::AwaitingVerdict,
        Self::AwaitingConfirmation,
        Self::Rework,
        Self::DisputedTier1,
        Self::DisputedTier2,
        Self::DisputedTier3,
        Self::Recorded,
        Self::Fulfilled,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Rejected,
        Self::Remediated,
    ];

    /// Its name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Proposed => "PROPOSED",
            Self::Accepted => "ACCEPTED",
            Self::Active => "ACTIVE",
            Self::Evaluating => "EVALUATING",
            Self::AwaitingVerdict => "AWAITING_VERDICT",
            Self::AwaitingConfirmation => "AWAITING_CONFIRMATION",
            Self::Rework => "REWORK",
            Self::DisputedTier1 => "DISPUTED_TIER_1",
            Self::DisputedTier2 => "DISPUTED_TIER_2",
            Self::DisputedTier3 => "DISPUTED_TIER_3",
            Self::Recorded => "RECORDED",
            Self::Fulfilled => "FULFILLED",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
            Self::Remediated => "REMEDIATED",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Draft => "made; its criteria may still be amended",
            Self::Proposed => "offered to the performer",
            Self::Accepted => "the performer has agreed, the principal has not started it yet",
            Self::Active => "the criteria are locked, the work is under way",
            Self::Evaluating => "a completion waits for the rules",
            Self::AwaitingVerdict => "a completion waits for the principal",
            Self::AwaitingConfirmation => "the rules have judged, the principal confirms or not",
            Self::Rework => "the principal asked for a revised completion",
            Self::DisputedTier1 => "the performer contests a failure; the parties settle it",
            Self::DisputedTier2 => "a third party with access to the chain decides",
            Self::DisputedTier3 => "a human of the organisation decides",
            Self::Recorded => "notarized",
            Self::Fulfilled => "the work was accepted",
            Self::Failed => "the work was not accepted",
            Self::Expired => "the deadline passed before a completion was there",
            Self::Cancelled => "called off",
            Self::Rejected => "the performer refused the proposal",
            Self::Remediated => "a failure was made good",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing is owed any more: nobody is waited for and no deadline runs. A failure
    /// alone can be reopened, once, by a dispute.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Recorded
                | Self::Fulfilled
                | Self::Failed
                | Self::Expired
                | Self::Cancelled
                | Self::Rejected
                | Self::Remediated
        )
    }

    /// Whether a deadline runs: the completion is still owed.
    #[must_use]
    pub const fn has_running_deadline(self) -> bool {
        matches!(self, Self::Draft | Self::Proposed | Self::Accepted | Self::Active | Self::Rework)
    }

    /// Whether work may be delegated below a record in this state: its limits are locked, and it
    /// has not ended in any other way than by being recorded.
    #[must_use]
    pub const fn may_delegate(self) -> bool {
        matches!(self, Self::Recorded | Self::Active | Self::Rework)
    }
}
