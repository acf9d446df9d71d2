//! Access lists of Windows: who may read or change a file, and how one is kept private.
//!
//! The system tells them as text (SDDL, [MS-DTYP] 2.5.1), and judging that text is pure. What cannot be
//! understood counts as open to everybody.

#[cfg(windows)]
mod system;

#[cfg(windows)]
pub use system::{account, make_private, of_file, of_path};

/// Administrators, the system itself, and its installer: whoever is one of them needs no permission.
const SYSTEM: [&str; 5] = [
    "BA",
    "SY",
    "S-1-5-32-544",
    "S-1-5-18",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
];
/// The owner, whoever that is: he is judged by himself.
const OWNER: [&str; 2] = ["OW", "S-1-3-4"];

/// What others must not be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// Anything: the file is secret.
    Everything,
    /// To change the file, or what is in the directory.
    Change,
    /// To exchange what is in the directory for something else; adding to it is harmless.
    Exchange,
}

impl Forbidden {
    /// Bits of an access mask ([MS-DTYP] 2.4.3; those of files and directories).
    fn mask(self) -> u32 {
        const DELETE_CHILD: u32 = 0x40;
        const DELETE_OR_OWN: u32 = 0x000D_0000;
        const WRITE: u32 = 0x0000_0116;
        const GENERIC_WRITE_OR_ALL: u32 = 0x5000_0000;
        let exchange = DELETE_CHILD | DELETE_OR_OWN | GENERIC_WRITE_OR_ALL;
        match self {
            Self::Everything => u32::MAX,
            Self::Change => exchange | WRITE,
            Self::Exchange => exchange,
        }
    }
}

/// The owner and the access list of a file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access<'a> {
    owner: &'a str,
    /// Who is given what; `None` if everybody is given everything.
    given: Option<Vec<(&'a str, u32)>>,
}

impl<'a> Access<'a> {
    /// Reads what the system says, `None` if it names no owner.
    #[must_use]
    pub fn parse(sddl: &'a str) -> Option<Self> {
        let rest = sddl.strip_prefix("O:")?;
        let list = rest.find("D:");
        let end = [rest.find("G:"), list, rest.find("S:")];
        // An identifier holds no colon, but may end in the letter of what follows.
        let end = end.into_iter().flatten().min().unwrap_or(rest.len());
        Some(Self {
            owner: rest.get(..end).filter(|owner| !owner.is_empty())?,
            given: list.and_then(|at| given(rest.get(at + 2..)?)),
        })
    }

    /// Whether it belongs to one of these or to the system.
    #[must_use]
    pub fn is_owned_by(&self, accounts: &[&str]) -> bool {
        SYSTEM.contains(&self.owner) || accounts.contains(&self.owner)
    }

    /// The first who may do what is forbidden and is neither one of these accounts nor the system.
    #[must_use]
    pub fn open_to(&self, accounts: &[&str], forbidden: Forbidden) -> Option<&'a str> {
        let Some(given) = &self.given else {
            return Some("everybody");
        };
        let may = |who: &str, mask: u32| {
            mask & forbidden.mask() != 0
                && !SYSTEM.contains(&who)
                && !OWNER.contains(&who)
                && !accounts.contains(&who)
        };
        let found = given.iter().find(|(who, mask)| may(who, *mask));
        found.map(|(who, _)| *who)
    }
}

/// The entries of a list; `None` if it is none.
fn given(list: &str) -> Option<Vec<(&str, u32)>> {
    let (flags, mut rest) = list.split_at(list.find('(').unwrap_or(list.len()));
    if flags.starts_with("NO_ACCESS_CONTROL") {
        return None;
    }
    let mut entries = Vec::new();
    while let Some(open) = rest.strip_prefix('(') {
        let end = closing(open)?;
        entries.push(entry(open.get(..end)?)?);
        rest = open.get(end + 1..)?;
    }
    Some(entries)
}

/// Where the bracket is closed that was open at the beginning; conditions have brackets of their own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    text.char_indices().find_map(|(at, letter)| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// `type;flags;rights;object;inherited object;account`: to whom it gives what here, which may be nothing.
fn entry(text: &str) -> Option<(&str, u32)> {
    let mut parts = text.splitn(7, ';');
    let mut next = || parts.next();
    let (kind, flags, rights) = (next()?, next()?, next()?);
    let (_object, _inherited, account) = (next()?, next()?, next()?);
    let refuses = ["D", "OD", "XD", "AU", "OU", "ML"].contains(&kind);
    let for_children_only = flags.as_bytes().chunks(2).any(|flag| flag == b"IO");
    let nothing = refuses || for_children_only;
    Some((account, if nothing { 0 } else { mask(rights) }))
}

/// A number, or letters in pairs; pairs that are not known count as all rights.
fn mask(rights: &str) -> u32 {
    if let Some(digits) = rights.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).unwrap_or(u32::MAX);
    }
    let pairs = rights.as_bytes().chunks(2);
    pairs.fold(0, |mask, pair| mask | right(pair))
}

fn right(pair: &[u8]) -> u32 {
    match pair {
        b"CC" => 0x1,
        b"DC" => 0x2,
        b"LC" => 0x4,
        b"SW" => 0x8,
        b"RP" => 0x10,
        b"WP" => 0x20,
        b"DT" => 0x40,
        b"LO" => 0x80,
        b"CR" => 0x100,
        b"SD" => 0x1_0000,
        b"RC" => 0x2_0000,
        b"WD" => 0x4_0000,
        b"WO" => 0x8_0000,
        b"GX" => 0x2000_0000,
        b"GR" => 0x8000_0000,
        b"FR" => 0x12_0089,
        b"FX" => 0x12_00A0,
        b"FW" => 0x12_0116,
        _ => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "S-1-5-21-1-2-3-1000";

    fn open_to(list: &'static str, forbidden: Forbidden) -> Option<&'static str> {
        let sddl = format!("O:{ME}G:DUD:{list}").leak();
        Access::parse(sddl).unwrap().open_to(&[ME], forbidden)
    }

    #[test]
    fn what_is_given_to_others_is_found() {
        use Forbidden::{Change, Everything, Exchange};
        for (list, everything, change, exchange) in [
            (
                "P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;S-1-5-21-1-2-3-1000)",
                None,
                None,
                None,
            ),
            ("(A;ID;0x1200a9;;;BU)", Some("BU"), None, None),
            ("(A;ID;FR;;;WD)", Some("WD"), None, None),
            (
                "(A;;FRFX;;;WD)(A;;FA;;;AU)",
                Some("WD"),
                Some("AU"),
                Some("AU"),
            ),
            // What %ProgramData% gives everybody: to add, not to exchange.
            ("(A;CI;DCLCRPCR;;;BU)", Some("BU"), Some("BU"), None),
            ("(A;OICIIO;GA;;;CO)(A;OICI;FA;;;OW)", None, None, None),
            ("(D;;FA;;;WD)(A;;FA;;;SY)", None, None, None),
            (
                r#"(XA;;FA;;;BU;(@User.Title == "x (y)"))"#,
                Some("BU"),
                Some("BU"),
                Some("BU"),
            ),
            ("(A;;QQ;;;BU)", Some("BU"), Some("BU"), Some("BU")),
            (
                "NO_ACCESS_CONTROL",
                Some("everybody"),
                Some("everybody"),
                Some("everybody"),
            ),
            (
                "(A;;FR",
                Some("everybody"),
                Some("everybody"),
                Some("everybody"),
            ),
            ("", None, None, None),
        ] {
            assert_eq!(open_to(list, Everything), everything, "{list}");
            assert_eq!(open_to(list, Change), change, "{list}");
            assert_eq!(open_to(list, Exchange), exchange, "{list}");
        }
    }

    #[test]
    fn owners_are_told_whatever_follows_them() {
        for (sddl, owner) in [
            ("O:BAG:SYD:P(A;;FA;;;BA)", "BA"),
            ("O:SYD:", "SY"),
            ("O:S-1-5-21-1-2-3-1000S:AI", ME),
            ("O:BA", "BA"),
        ] {
            let access = Access::parse(sddl).unwrap();
            assert_eq!(access.owner, owner, "{sddl}");
            assert_eq!(access.is_owned_by(&[]), owner != ME, "{sddl}");
            assert!(access.is_owned_by(&[ME]), "{sddl}");
        }
        assert_eq!(Access::parse("D:(A;;FA;;;WD)"), None);
        assert_eq!(Access::parse("O:D:"), None);
        let without_list = Access::parse("O:BAG:SY").unwrap();
        assert_eq!(
            without_list.open_to(&[], Forbidden::Change),
            Some("everybody")
        );
    }
}
