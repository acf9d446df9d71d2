//! Asking the system, and telling it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

use windows_permissions::constants::{SeObjectType, SecurityInformation};
use windows_permissions::wrappers::{
    ConvertSecurityDescriptorToStringSecurityDescriptor as to_text, GetSecurityInfo,
    SetSecurityInfo,
};
use windows_permissions::{LocalBox, SecurityDescriptor};
use winsafe::{HPROCESS, TokenInfo, co};

/// To read owner and list.
const READ_CONTROL: u32 = 0x0002_0000;
/// To change the list.
const WRITE_DAC: u32 = 0x0004_0000;

/// The account that this process runs as, as a security identifier.
///
/// # Errors
/// What the system says.
pub fn account() -> io::Result<&'static str> {
    static ACCOUNT: OnceLock<Box<str>> = OnceLock::new();
    if let Some(known) = ACCOUNT.get() {
        return Ok(known);
    }
    let token = HPROCESS::GetCurrentProcess()
        .OpenProcessToken(co::TOKEN::QUERY)
        .map_err(io::Error::other)?;
    let user = token.GetTokenInformation(co::TOKEN_INFORMATION_CLASS::User);
    match user.map_err(io::Error::other)? {
        TokenInfo::User(user) => {
            let identifier = user.User.Sid().map(|sid| sid.to_string());
            let identifier = identifier.ok_or(io::ErrorKind::NotFound)?;
            Ok(ACCOUNT.get_or_init(|| identifier.into()))
        }
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The owner and the access list of an open file, for [`super::Access::parse`].
///
/// # Errors
/// What the system says.
pub fn of_file(file: &File) -> io::Result<String> {
    let found = GetSecurityInfo(file, SeObjectType::SE_FILE_OBJECT, asked())?;
    text(&found)
}

/// The same of what has this name, which may be a directory, and is not followed if it is a link.
///
/// # Errors
/// What the system says.
pub fn of_path(path: &Path) -> io::Result<String> {
    of_file(&open(path, READ_CONTROL)?)
}

/// Keeps a file or directory, and what will be made in it, from everybody but this account and the
/// system.
///
/// # Errors
/// What the system says.
pub fn make_private(path: &Path) -> io::Result<()> {
    let account = account()?;
    let list = format!("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{account})");
    let wanted: LocalBox<SecurityDescriptor> = list.parse()?;
    SetSecurityInfo(
        &mut open(path, READ_CONTROL | WRITE_DAC)?,
        SeObjectType::SE_FILE_OBJECT,
        SecurityInformation::Dacl | SecurityInformation::ProtectedDacl,
        None,
        None,
        wanted.dacl(),
        None,
    )
}

fn open(path: &Path, access: u32) -> io::Result<File> {
    const BACKUP_SEMANTICS: u32 = 0x0200_0000;
    const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    let mut options = OpenOptions::new();
    options.access_mode(access);
    options.custom_flags(BACKUP_SEMANTICS | OPEN_REPARSE_POINT);
    options.open(path)
}

fn asked() -> SecurityInformation {
    SecurityInformation::Owner | SecurityInformation::Dacl
}

fn text(found: &SecurityDescriptor) -> io::Result<String> {
    let text: OsString = to_text(found, asked())?;
    let text = text.into_string().map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(text.trim_end_matches('\0').to_owned())
}
