//! Where counting begins and ends: callgrind closes a part of its report before each call of
//! [`mark`].

use std::hint::black_box;

/// The name of [`mark`] as callgrind knows it.
pub(crate) const MARK: &str = "streamgate_instructions::laps::mark";

/// The part of callgrind's report that is counted: the one that the second mark closes.
pub(crate) const COUNTED_PART: u32 = 2;

/// Does nothing, visibly. It must stay a function of its own.
#[inline(never)]
fn mark() {
    black_box(());
}

/// Gives these in turn, so often to warm up, and then again so often to be counted.
pub(crate) fn laps<T>(turns: &[T], repetitions: u64) -> impl Iterator<Item = &T> {
    let mut left = 2 * repetitions;
    let mut turns = turns.iter().cycle();
    std::iter::from_fn(move || {
        if left == repetitions || left == 0 {
            mark();
        }
        left = left.checked_sub(1)?;
        turns.next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_laps_and_all_have_their_turns_in_both() {
        let turns: Vec<u8> = laps(&[1, 2, 3], 4).copied().collect();
        assert_eq!(turns, [1, 2, 3, 1, 2, 3, 1, 2]);
    }
}
