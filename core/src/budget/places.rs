//! How many callers have an account, which bounds the memory that they take.

use crate::budget::window::Window;
use crate::fetch_lease::{open, seal};

/// The number of accounts in a window, as workers share it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Places {
    window: Window,
    taken: u64,
}

impl Places {
    /// What the map has; `None` where nobody has written it. Time never falls here either.
    ///
    /// Where the bytes fail their check nobody knows how many there are, so there is no room for another one
    /// before the window ends.
    pub fn read(held: Option<&[u8]>, now: Window) -> Places {
        let none = |window| Places { window, taken: 0 };
        let Some(held) = held else {
            return none(now);
        };
        let unknown = Places {
            window: now,
            taken: u64::MAX,
        };
        let places = parse(held, now).unwrap_or(unknown);
        match places.window.begin() < now.begin() {
            true => none(now),
            false => places,
        }
    }

    /// With one more, if there are fewer than `most`.
    pub fn take(self, most: usize) -> Option<Places> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let taken = self.taken.saturating_add(1);
        (self.taken < most).then_some(Places { taken, ..self })
    }

    /// With one less, if that one was of this window.
    pub fn give_back(self, of: Window) -> Option<Places> {
        let is_known = self.taken < u64::MAX;
        let taken = self.taken.checked_sub(1)?;
        (self.window == of && is_known).then_some(Places { taken, ..self })
    }

    /// As it is shared.
    pub fn to_bytes(self) -> Vec<u8> {
        let begin = self.window.begin().to_le_bytes();
        seal(&[begin, self.taken.to_le_bytes()].concat())
    }
}

fn parse(held: &[u8], like: Window) -> Option<Places> {
    let (begin, taken) = open(held)?.split_first_chunk::<8>()?;
    Some(Places {
        window: like.beginning_at(i64::from_le_bytes(*begin))?,
        taken: u64::from_le_bytes(taken.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests;
