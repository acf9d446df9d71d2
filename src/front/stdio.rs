//! Standard input and output, as the host gave them.
//!
//! Hosts give pipes or sockets, and those are read and written where everything else happens. What
//! is left, such as terminals and files, is read by a thread of its own.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// What the host says.
pub type Input = Box<dyn AsyncRead + Send + Unpin>;
/// What the host hears.
pub type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Takes standard input and output. Call it once, inside the runtime.
pub fn stdio() -> io::Result<(Input, Output)> {
    #[cfg(unix)]
    let (input, output) = unix::stdio()?;
    #[cfg(not(unix))]
    let (input, output) = (None, None);
    Ok((
        input.unwrap_or_else(|| Box::new(tokio::io::stdin())),
        output.unwrap_or_else(|| Box::new(tokio::io::stdout())),
    ))
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::net::UnixStream as StdStream;

    use rustix::fs::{FileType, fstat};
    use tokio::net::UnixStream;
    use tokio::net::unix::pipe;

    use super::{Input, Output};

    pub(super) fn stdio() -> io::Result<(Option<Input>, Option<Output>)> {
        let log = io::stderr();
        Ok((
            input(io::stdin().as_fd().try_clone_to_owned()?, log.as_fd())?,
            output(io::stdout().as_fd().try_clone_to_owned()?, log.as_fd())?,
        ))
    }

    /// Reads `fd` without blocking, if it can be and if the log does not go the same way.
    pub(super) fn input(fd: OwnedFd, log: BorrowedFd<'_>) -> io::Result<Option<Input>> {
        Ok(match kind(&fd, log)? {
            Some(Kind::Pipe) => Some(Box::new(pipe::Receiver::from_owned_fd(fd)?)),
            Some(Kind::Socket) => Some(Box::new(socket(fd)?)),
            None => None,
        })
    }

    /// Writes `fd` without blocking, if it can be and if the log does not go the same way.
    pub(super) fn output(fd: OwnedFd, log: BorrowedFd<'_>) -> io::Result<Option<Output>> {
        Ok(match kind(&fd, log)? {
            Some(Kind::Pipe) => Some(Box::new(pipe::Sender::from_owned_fd(fd)?)),
            Some(Kind::Socket) => Some(Box::new(socket(fd)?)),
            None => None,
        })
    }

    enum Kind {
        Pipe,
        Socket,
    }

    /// What need not block, and may be told not to: that is a property of what is open, not of the
    /// descriptor, and a log that goes the same way (`2>&1`) would lose lines by it.
    fn kind(fd: &OwnedFd, log: BorrowedFd<'_>) -> io::Result<Option<Kind>> {
        let file = fstat(fd)?;
        let shared =
            fstat(log).is_ok_and(|log| (log.st_dev, log.st_ino) == (file.st_dev, file.st_ino));
        let kind = FileType::from_raw_mode(file.st_mode);
        Ok(if shared {
            None
        } else if kind.is_fifo() {
            Some(Kind::Pipe)
        } else {
            kind.is_socket().then_some(Kind::Socket)
        })
    }

    fn socket(fd: OwnedFd) -> io::Result<UnixStream> {
        let stream = StdStream::from(fd);
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::net::UnixStream;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::unix::{input, output};

    /// Writes through one and reads from the other.
    async fn check(reader: impl Into<OwnedFd>, writer: impl Into<OwnedFd>) {
        let log = File::open("/dev/null").unwrap();
        let mut input = input(reader.into(), log.as_fd()).unwrap().unwrap();
        let mut output = output(writer.into(), log.as_fd()).unwrap().unwrap();
        output.write_all(b"a line\n").await.unwrap();
        drop(output);
        let mut text = String::new();
        input.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "a line\n");
    }

    #[tokio::test]
    async fn pipes_and_sockets_are_read_without_a_thread() {
        let (reader, writer) = std::io::pipe().unwrap();
        check(reader, writer).await;
        let (one, other) = UnixStream::pair().unwrap();
        check(one, other).await;
    }

    #[tokio::test]
    async fn what_the_log_goes_to_as_well_stays_as_it_is() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let log = writer.try_clone().unwrap();
        assert!(output(writer.into(), log.as_fd()).unwrap().is_none());
        let flags = rustix::fs::fcntl_getfl(&log).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    }

    #[tokio::test]
    async fn files_are_left_to_a_thread() {
        let log = File::open("/dev/null").unwrap();
        for path in ["/dev/null", "Cargo.toml"] {
            let file = File::open(path).unwrap();
            assert!(input(file.into(), log.as_fd()).unwrap().is_none(), "{path}");
        }
    }
}
