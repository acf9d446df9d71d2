//! The charts, as SVG in the page. Colours are classes of the style, so that they follow the theme.
//!
//! Each chart has a title and a description for those who do not see it; the same numbers stand in a
//! table beside it.

mod spread;
mod timeline;
mod week;

pub(super) use self::spread::spread;
pub(super) use self::timeline::{name, step_name, timeline};
pub(super) use self::week::{DAYS, week};

/// A whole number for an axis that is not below this one, and into how many equal parts it falls.
fn round_up(most: u64) -> (u64, u64) {
    // Tops in tenths of a power of ten, each with parts that are round themselves.
    const TOPS: [(u64, u64); 9] = [
        (10, 5),
        (15, 3),
        (20, 4),
        (25, 5),
        (30, 3),
        (40, 4),
        (50, 5),
        (60, 3),
        (80, 4),
    ];
    let mut scale = 1_u64;
    loop {
        for (tenths, parts) in TOPS {
            let top = scale.saturating_mul(tenths);
            if top >= most.saturating_mul(10) && top.is_multiple_of(parts * 10) {
                return (top / 10, parts);
            }
            if top == 10 && most <= 1 {
                return (1, 1);
            }
        }
        scale = scale.saturating_mul(10);
    }
}

/// `length` times `part` of `whole`, in tenths.
fn scaled(length: u64, part: u64, whole: u64) -> Tenths {
    let tenths = u128::from(length) * 10 * u128::from(part) / u128::from(whole.max(1));
    Tenths(u64::try_from(tenths).unwrap_or(0))
}

/// A coordinate with one decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tenths(u64);

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// From 0 for nothing to 5 for the most.
pub(super) fn shade(count: u64, most: u64) -> u64 {
    count.saturating_mul(5).div_ceil(most.max(1)).min(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers() {
        let round = [0, 1, 3, 7, 11, 243, 501].map(round_up);
        let expected = [(1, 1), (1, 1), (3, 3), (8, 4), (15, 3), (250, 5), (600, 3)];
        assert_eq!(round, expected);
        assert_eq!(scaled(200, 1, 3).to_string(), "66.6");
        assert_eq!([shade(0, 10), shade(1, 1000), shade(10, 10)], [0, 1, 5]);
    }
}
