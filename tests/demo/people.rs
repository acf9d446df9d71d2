//! Who works at the demonstration company, and what the identity provider says of them.

/// A person with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The subject, which the sign-in page submits.
    pub id: &'static str,
    /// What they are called.
    pub name: &'static str,
    /// What they do; the policy speaks of these.
    pub roles: &'static [&'static str],
}

/// Analyses data: may query the database, may not change it, may not deploy.
pub const ANA: Person = Person {
    id: "ana",
    name: "Ana",
    roles: &["data-analyst"],
};

/// Runs deployments: to staging freely, to production with an approval.
pub const DEV: Person = Person {
    id: "dev",
    name: "Dev",
    roles: &["admin", "devops"],
};

/// Everybody.
pub const PEOPLE: [Person; 2] = [ANA, DEV];

impl Person {
    /// Finds somebody by subject.
    pub fn find(id: &str) -> Option<Self> {
        PEOPLE.into_iter().find(|person| person.id == id)
    }

    /// Their address; for display.
    pub fn email(self) -> String {
        format!("{}@company.example", self.id)
    }

    /// Whether the provider grants them a scope: administration is for administrators.
    pub fn may_have(self, scope: &str) -> bool {
        scope != "mcp:admin" || self.roles.contains(&"admin")
    }
}
