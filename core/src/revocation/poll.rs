//! One poll, from its first page to its last. Nothing of it counts before the last page.

use crate::limits::{REVOCATION_ENTRIES, REVOCATION_PAGES};
use crate::revocation::page::{InvalidPage, Kind, Page};
use crate::revocation::store::{DigestKey, Entry, Retention, Store};
use crate::time::UnixTime;

/// A poll in progress.
#[derive(Debug)]
pub struct Poll {
    kind: Kind,
    key: DigestKey,
    retention: Retention,
    /// The cursor that the first page was requested with.
    since: Option<Box<str>>,
    /// The cursor of the next request; none asks for the whole list.
    cursor: Option<Box<str>>,
    pages: usize,
    change: Change,
}

/// What a page leads to.
#[derive(Debug)]
pub enum Progress {
    /// Fetch again at once, with the poll's new cursor.
    More(Poll),
    /// That was the last page.
    Complete(Update),
}

/// What a complete poll brought.
#[derive(Debug)]
pub struct Update {
    pub(super) key: DigestKey,
    pub(super) retention: Retention,
    /// What the poll began with.
    pub(super) since: Option<Box<str>>,
    pub(super) cursor: Box<str>,
    pub(super) change: Change,
}

#[derive(Debug)]
pub(super) enum Change {
    /// The whole list.
    Reset(Store),
    /// What is new on it.
    More(Vec<Entry>),
}

// === impl Poll ===

impl Poll {
    pub(super) fn new(
        kind: Kind,
        key: DigestKey,
        retention: Retention,
        cursor: Option<Box<str>>,
    ) -> Self {
        let change = match cursor {
            Some(_) => Change::More(Vec::new()),
            None => Change::Reset(Store::new(key.clone())),
        };
        Poll {
            kind,
            key,
            retention,
            since: cursor.clone(),
            cursor,
            pages: 0,
            change,
        }
    }

    /// The value of `since`, percent-encoded: it goes into a query. None on the first page of a
    /// whole list.
    pub fn since(&self) -> Option<String> {
        self.cursor.as_deref().map(percent_encode)
    }

    /// Takes the body of an answer.
    pub fn take(mut self, body: &[u8], now: UnixTime) -> Result<Progress, InvalidPage> {
        let page = Page::parse(body, self.kind, &self.key)?;
        self.pages = self.pages.saturating_add(1);
        if self.pages > REVOCATION_PAGES {
            return Err(InvalidPage::TooManyPages);
        }
        if page.more && self.cursor.as_ref() == Some(&page.cursor) {
            return Err(InvalidPage::NoProgress);
        }
        if page.reset {
            self.change = Change::Reset(Store::new(self.key.clone()));
        }
        self.add(page.entries, now)?;
        if page.more {
            self.cursor = Some(page.cursor);
            return Ok(Progress::More(self));
        }
        Ok(Progress::Complete(Update {
            key: self.key,
            retention: self.retention,
            since: self.since,
            cursor: page.cursor,
            change: self.change,
        }))
    }

    fn add(&mut self, entries: Vec<Entry>, now: UnixTime) -> Result<(), InvalidPage> {
        let entries = entries
            .into_iter()
            .filter(|entry| !self.retention.has_ended(entry, now));
        let held = match &mut self.change {
            Change::Reset(store) => {
                entries.for_each(|entry| {
                    store.insert(entry);
                });
                store.len()
            }
            Change::More(new) => {
                new.extend(entries);
                new.len()
            }
        };
        if held > REVOCATION_ENTRIES {
            return Err(InvalidPage::TooLong);
        }
        Ok(())
    }
}

// === impl Update ===

impl Update {
    /// How many entries it brings.
    pub fn len(&self) -> usize {
        match &self.change {
            Change::Reset(store) => store.len(),
            Change::More(new) => new.len(),
        }
    }

    /// Whether it brings no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All but the unreserved characters of RFC 3986 §2.3.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;
