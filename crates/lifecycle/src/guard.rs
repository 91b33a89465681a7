//! What a transition depends on beyond state, action and role.

/// Who judges a completion. Part of the record from its first entry on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerdictMode {
    /// The principal.
    Principal,
    /// The rules.
    Auto,
    /// The rules first; the principal confirms.
    AutoThenPrincipal,
}

impl VerdictMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Principal, Self::Auto, Self::AutoThenPrincipal];

    /// Its name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Auto => "auto",
            Self::AutoThenPrincipal => "auto-then-principal",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// What is true of a record at the moment of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Who judges.
    pub mode: VerdictMode,
    /// Whether it has a deadline and that has passed.
    pub deadline_passed: bool,
    /// Whether a performer is named.
    pub performer_named: bool,
    /// Revisions asked for so far.
    pub revisions: i16,
    /// Whether it was disputed before.
    pub disputed: bool,
    /// Whether its newest verdict is one of the rules, not of a person or an agent.
    pub verdict_by_rules: bool,
    /// Whether it is disputed and the rules have not judged since.
    pub reevaluation_due: bool,
    /// Whether a judgement is about the newest completion.
    pub concerns_newest: bool,
}

/// A named condition of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// No deadline, or it has not passed.
    BeforeDeadline,
    /// There is a deadline and it has passed.
    DeadlinePassed,
    /// A performer is named.
    PerformerNamed,
    /// The principal alone judges.
    PrincipalJudges,
    /// The rules judge first.
    RulesJudge,
    /// What the rules say is the verdict.
    RulesDecide,
    /// The principal confirms what the rules say.
    PrincipalConfirms,
    /// Fewer revisions than [`crate::MOST_REVISIONS`] were asked for.
    RevisionsLeft,
    /// It was not disputed before.
    NotDisputedBefore,
    /// The verdict that is disputed is one of the rules: what a principal decided, they never overturn.
    VerdictByRules,
    /// The rules have not yet judged again in this dispute.
    ReevaluationDue,
    /// The judgement is about the newest completion, not about one that a revision replaced.
    ConcernsNewest,
}

impl Guard {
    /// Every guard.
    pub const ALL: [Self; 12] = [
        Self::BeforeDeadline,
        Self::DeadlinePassed,
        Self::PerformerNamed,
        Self::PrincipalJudges,
        Self::RulesJudge,
        Self::RulesDecide,
        Self::PrincipalConfirms,
        Self::RevisionsLeft,
        Self::NotDisputedBefore,
        Self::VerdictByRules,
        Self::ReevaluationDue,
        Self::ConcernsNewest,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeDeadline => "before-deadline",
            Self::DeadlinePassed => "deadline-passed",
            Self::PerformerNamed => "performer-named",
            Self::PrincipalJudges => "principal-judges",
            Self::RulesJudge => "rules-judge",
            Self::RulesDecide => "rules-decide",
            Self::PrincipalConfirms => "principal-confirms",
            Self::RevisionsLeft => "revisions-left",
            Self::NotDisputedBefore => "not-disputed-before",
            Self::VerdictByRules => "verdict-by-rules",
            Self::ReevaluationDue => "reevaluation-due",
            Self::ConcernsNewest => "concerns-newest",
        }
    }

    /// The condition in words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BeforeDeadline => "it has no deadline, or the deadline has not passed",
            Self::DeadlinePassed => "the deadline has passed",
            Self::PerformerNamed => "a performer is named",
            Self::PrincipalJudges => "the verdict mode is principal",
            Self::RulesJudge => "the verdict mode is auto or auto-then-principal",
            Self::RulesDecide => "the verdict mode is auto",
            Self::PrincipalConfirms => "the verdict mode is auto-then-principal",
            Self::RevisionsLeft => "fewer than 5 revisions were asked for",
            Self::NotDisputedBefore => "it was not disputed before",
            Self::VerdictByRules => {
                "the disputed verdict is one of the rules; what a principal decided, they never overturn"
            }
            Self::ReevaluationDue => "the rules have not yet judged again in this dispute",
            Self::ConcernsNewest => "the judgement is about the newest completion",
        }
    }

    /// Whether the condition holds.
    #[must_use]
    pub const fn holds(self, facts: &Facts) -> bool {
        match self {
            Self::BeforeDeadline => !facts.deadline_passed,
            Self::DeadlinePassed => facts.deadline_passed,
            Self::PerformerNamed => facts.performer_named,
            Self::PrincipalJudges => matches!(facts.mode, VerdictMode::Principal),
            Self::RulesJudge => !matches!(facts.mode, VerdictMode::Principal),
            Self::RulesDecide => matches!(facts.mode, VerdictMode::Auto),
            Self::PrincipalConfirms => matches!(facts.mode, VerdictMode::AutoThenPrincipal),
            Self::RevisionsLeft => facts.revisions < crate::MOST_REVISIONS,
            Self::NotDisputedBefore => !facts.disputed,
            Self::VerdictByRules => facts.verdict_by_rules,
            Self::ReevaluationDue => facts.reevaluation_due,
            Self::ConcernsNewest => facts.concerns_newest,
        }
    }
}
