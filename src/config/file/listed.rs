//! Judging a file by its owner and its access list.

use std::fs::File;
use std::path::Path;

use super::{FileError, Trust};
use crate::acl::{self, Access, Forbidden};

/// Refuses a file that others than those who may could have written, or exchanged for another.
pub(super) fn check(path: &Path, file: &File, trust: Trust) -> Result<(), FileError> {
    judge(&acl::of_file(file)?, trust, Forbidden::Change)?;
    if trust == Trust::Account {
        return Ok(());
    }
    // Nobody but administrators adds anything beside the file; further up everybody may.
    let mut forbidden = Forbidden::Change;
    let real = path.canonicalize()?;
    for directory in real.ancestors().skip(1) {
        let told = acl::of_path(directory)?;
        judge(&told, trust, forbidden).map_err(|_| FileError::Directory(directory.to_owned()))?;
        forbidden = Forbidden::Exchange;
    }
    Ok(())
}

/// Refuses a private key that others could read.
pub(super) fn check_key(file: &File) -> Result<(), FileError> {
    match judge(&acl::of_file(file)?, Trust::Account, Forbidden::Everything) {
        Err(FileError::Open { who, .. }) => Err(FileError::Secret(who)),
        judged => judged,
    }
}

fn judge(told: &str, trust: Trust, forbidden: Forbidden) -> Result<(), FileError> {
    let account = match trust {
        Trust::Administrator => None,
        Trust::Account => Some(acl::account()?),
    };
    let trusted = account.as_slice();
    let access = Access::parse(told).filter(|access| access.is_owned_by(trusted));
    let access = access.ok_or(FileError::Foreign(trust))?;
    match access.open_to(trusted, forbidden) {
        Some(who) => Err(FileError::Open {
            who: who.into(),
            trust,
        }),
        None => Ok(()),
    }
}
