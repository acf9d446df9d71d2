//! The ZIP archive: written the same way every time, and read as if by an enemy's hand.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::NAMES;
use super::report::Problem;

/// Writes the files of an archive, one after the other.
pub struct Archive<W: Write + Seek>(ZipWriter<W>);

impl<W: Write + Seek> Archive<W> {
    /// Begins.
    pub fn new(out: W) -> Self {
        Self(ZipWriter::new(out))
    }

    pub(super) fn begin(&mut self, name: &str) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        self.0.start_file(name, options).map_err(io::Error::from)
    }

    /// Adds a file that is at hand as a whole.
    ///
    /// # Errors
    /// What the system says.
    pub fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.begin(name)?;
        self.write_all(content)
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Completes the archive.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish().map_err(io::Error::from)?.flush()
    }
}

/// An archive that has the files of a bundle and nothing else: no second file of a name, none that
/// the directory hides or names otherwise, nothing before or after them.
pub(super) struct Opened<R: Read + Seek>(ZipArchive<R>);

/// The end of an archive without a comment: signature, two disk numbers, two counts, size and place
/// of the directory, length of the comment (APPNOTE 4.3.16).
const END: usize = 22;
/// What stands before it in the larger format, which no bundle needs (APPNOTE 4.3.15).
const LOCATOR: usize = 20;

impl<R: Read + Seek> Opened<R> {
    pub(super) fn open(mut source: R) -> Result<Self, Problem> {
        check_end(&mut source)?;
        let mut archive = ZipArchive::new(source).map_err(|error| zip_problem(&error))?;
        let odd = archive.file_names_raw().find(|name| {
            let known = NAMES.iter().any(|known| known.as_bytes() == *name);
            !known
        });
        if let Some(odd) = odd {
            let name = String::from_utf8_lossy(odd).chars().take(100).collect();
            return Err(Problem::Name(name));
        }
        if archive.has_duplicate_names() {
            return Err(Problem::Twice);
        }
        if archive.offset() != 0 || !archive.comment().is_empty() {
            return Err(Problem::Padding);
        }
        archive
            .validate_header_consistency()
            .map_err(|error| zip_problem(&error))?;
        match NAMES
            .iter()
            .find(|name| archive.index_for_name(name).is_none())
        {
            Some(name) => Err(Problem::Missing(name)),
            None => Ok(Self(archive)),
        }
    }

    /// A small file as a whole.
    pub(super) fn text(&mut self, name: &'static str, limit: u64) -> Result<String, Problem> {
        let file = self.0.by_name(name).map_err(|error| zip_problem(&error))?;
        let mut text = String::new();
        let read = file.take(limit + 1).read_to_string(&mut text);
        read.map_err(|error| Problem::Archive(error.to_string().into()))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > limit) {
            return Err(Problem::TooLong { name, limit });
        }
        Ok(text)
    }

    /// Hands on the lines of a file of any length, each of them within a limit, until one is
    /// refused.
    pub(super) fn lines(
        &mut self,
        name: &'static str,
        limit: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let file = self.0.by_name(name).map_err(|error| zip_problem(&error))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut file).take(limit + 1).read_until(b'\n', &mut line);
            let read = read.map_err(|error| Problem::Archive(error.to_string().into()))?;
            match line.split_last() {
                None if read == 0 => return Ok(()),
                Some((b'\n', line)) => each(line)?,
                Some(_) | None if u64::try_from(read).is_ok_and(|read| read > limit) => {
                    return Err(Problem::TooLong { name, limit });
                }
                Some(_) | None => return Err(Problem::Line),
            }
        }
    }
}

/// Looks at the end before the library reads a directory of whatever length a stranger says.
fn check_end(source: &mut (impl Read + Seek)) -> Result<(), Problem> {
    let failed = |error: io::Error| Problem::Archive(error.to_string().into());
    let length = source.seek(SeekFrom::End(0)).map_err(failed)?;
    let mut end = [0; LOCATOR + END];
    let wanted = u64::try_from(end.len()).unwrap_or(u64::MAX);
    let Some(at) = length.checked_sub(wanted) else {
        return Err(Problem::Padding);
    };
    source.seek(SeekFrom::Start(at)).map_err(failed)?;
    source.read_exact(&mut end).map_err(failed)?;
    let (locator, end) = end.split_at(LOCATOR);
    let files = u8::try_from(NAMES.len()).unwrap_or(u8::MAX);
    if !end.starts_with(b"PK\x05\x06")
        || !end.ends_with(&[0, 0])
        || locator.starts_with(b"PK\x06\x07")
    {
        return Err(Problem::Padding);
    }
    if end[8..12] != [files, 0, files, 0] {
        return Err(Problem::Files);
    }
    Ok(())
}

fn zip_problem(error: &zip::result::ZipError) -> Problem {
    Problem::Archive(error.to_string().into())
}
