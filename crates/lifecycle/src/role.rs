//! What a caller is to one record.

/// A party's role in relation to one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The agent that answers for the record and judges the work.
    Principal,
    /// The agent that does the work.
    Performer,
    /// The third party of a tier-2 dispute.
    Accessor,
    /// An administrator of the record's organisation: a human.
    Admin,
    /// The server itself: rules and sweeps.
    System,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Principal, Self::Performer, Self::Accessor, Self::Admin, Self::System];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Performer => "performer",
            Self::Accessor => "accessor",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }
}

/// A set of roles: one agent may be principal and performer at once, or nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// No role: a reader.
    pub const NONE: Self = Self(0);

    /// A set of these.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < roles.len() {
            set |= 1 << roles[at] as u8;
            at += 1;
        }
        Self(set)
    }

    /// The set with `role` added when `holds`.
    #[must_use]
    pub const fn with(self, role: Role, holds: bool) -> Self {
        if holds { Self(self.0 | 1 << role as u8) } else { self }
    }

    /// Whether `role` is in it.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// The roles that are in both.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in it, in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}
