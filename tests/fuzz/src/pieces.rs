//! Inputs that come in pieces.

/// The most sizes that an input begins with.
const SIZES: usize = 7;

/// An input that says how it is to be taken apart.
#[derive(Debug)]
pub struct Input<'a> {
    /// A number for the target's own use.
    pub number: u8,
    /// The sizes of the pieces, over and over.
    sizes: &'a [u8],
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads the number, how many sizes there are, the sizes, and takes the rest for the bytes.
    #[must_use]
    pub fn of(data: &'a [u8]) -> Option<Self> {
        let (number, rest) = data.split_first()?;
        let (count, rest) = rest.split_first()?;
        let count = usize::from(*count) % (SIZES + 1);
        let (sizes, bytes) = rest.split_at_checked(count)?;
        Some(Self {
            number: *number,
            sizes,
            bytes,
        })
    }

    /// These bytes in pieces; some are empty.
    #[must_use]
    pub fn cut<'b>(&self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        if self.sizes.iter().any(|size| *size > 0) {
            for size in self.sizes.iter().cycle() {
                let Some((piece, after)) = rest.split_at_checked(usize::from(*size)) else {
                    break;
                };
                pieces.push(piece);
                rest = after;
            }
        }
        pieces.push(rest);
        pieces
    }
}
