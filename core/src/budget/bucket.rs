//! A bucket: the accounts of some callers in one window, as bytes that workers share.

use crate::budget::account::{Account, Lease, Question};
use crate::budget::caller::CallerId;
use crate::budget::window::Window;
use crate::secret::FingerprintKey;
use crate::time::UnixTime;

/// A bucket, opened at the account of one caller.
#[derive(Debug)]
pub struct Bucket<'b> {
    window: Window,
    account: Option<Account>,
    /// The other callers' accounts, before this one and behind it.
    others: [&'b [u8]; 2],
}

/// What the bytes of a bucket are.
#[derive(Debug)]
pub enum Opened<'b> {
    /// A bucket.
    Intact(Bucket<'b>),
    /// They fail their check, or did so before: what its callers had spent is lost. A debt must not be forgotten,
    /// so nobody of them spends any more until the window ends in which that was noticed.
    Lost {
        /// What to write in order that all workers know; `None` where they do.
        marker: Option<Vec<u8>>,
    },
}

/// What a bucket holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Content<'b> {
    Accounts(&'b [u8]),
    Lost,
}

const VERSION: u8 = 1;

/// Against damage, not against attackers: whoever can write to the map is trusted. So the key is no secret.
const CHECKSUM: FingerprintKey = FingerprintKey::new(*b"portcullisbudget");

const ACCOUNTS: u8 = 0;
const LOST: u8 = 1;

/// A kind, the caller, and what is spent.
const PLAIN: (u8, usize) = (0, 1 + 16 + 8);
/// With a lease.
const LEASED: (u8, usize) = (1, PLAIN.1 + 5 * 8);
/// With a lease and a question.
const ASKING: (u8, usize) = (2, LEASED.1 + 16 + 2 * 8);

// === impl Bucket ===

impl<'b> Bucket<'b> {
    /// Opens a bucket for a caller. `held` is what the map has; `None` where nobody has written it. `now` is the
    /// window by the clock.
    ///
    /// Time never falls: where the bucket is in a later window than `now`, that is the window. What is of an
    /// earlier one is gone, for all its callers.
    pub fn open(held: Option<&'b [u8]>, caller: CallerId, now: Window) -> Opened<'b> {
        let empty = |window| {
            Opened::Intact(Bucket {
                window,
                account: None,
                others: [&[], &[]],
            })
        };
        let Some(held) = held else {
            return empty(now);
        };
        let opened = read(held, now).and_then(|(window, content)| match content {
            _ if window.begin() < now.begin() => Some(empty(now)),
            Content::Lost => Some(Opened::Lost { marker: None }),
            Content::Accounts(accounts) => {
                let (account, others) = find(accounts, caller)?;
                Some(Opened::Intact(Bucket {
                    window,
                    account,
                    others,
                }))
            }
        });
        opened.unwrap_or_else(|| Opened::Lost {
            marker: Some(seal(LOST, now, &[])),
        })
    }

    /// The window that its accounts are of.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The caller's account, if there is one.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// The bytes of the bucket with this account instead, or with none of the caller.
    pub fn with(&self, caller: CallerId, account: Option<&Account>) -> Vec<u8> {
        let [before, behind] = self.others;
        let own = account.map(|account| write(caller, account));
        let own = own.as_deref().unwrap_or_default();
        seal(ACCOUNTS, self.window, &[before, own, behind])
    }
}

// === bytes ===

fn seal(content: u8, window: Window, accounts: &[&[u8]]) -> Vec<u8> {
    let mut sealed = vec![VERSION];
    sealed.extend_from_slice(&[0; 8]);
    sealed.push(content);
    sealed.extend_from_slice(&window.begin().to_le_bytes());
    accounts
        .iter()
        .for_each(|part| sealed.extend_from_slice(part));
    let sum = sealed.get(9..).map(checksum).unwrap_or_default();
    if let Some(place) = sealed.get_mut(1..9) {
        place.copy_from_slice(&sum);
    }
    sealed
}

fn checksum(body: &[u8]) -> [u8; 8] {
    CHECKSUM.fingerprint(body).half().to_le_bytes()
}

/// `None` where the check fails.
fn read(sealed: &[u8], like: Window) -> Option<(Window, Content<'_>)> {
    let (version, rest) = sealed.split_first()?;
    let (sum, body) = rest.split_first_chunk::<8>()?;
    if *version != VERSION || *sum != checksum(body) {
        return None;
    }
    let (content, rest) = body.split_first()?;
    let (begin, accounts) = rest.split_first_chunk::<8>()?;
    let window = like.beginning_at(i64::from_le_bytes(*begin))?;
    match (*content, accounts) {
        (ACCOUNTS, accounts) => Some((window, Content::Accounts(accounts))),
        (LOST, []) => Some((window, Content::Lost)),
        _ => None,
    }
}

/// The caller's account and the bytes of the others before and behind it. `None` where these are no accounts,
/// or two of the caller's.
fn find(accounts: &[u8], caller: CallerId) -> Option<(Option<Account>, [&[u8]; 2])> {
    let mut found = None;
    let mut rest = accounts;
    while let Some(kind) = rest.first() {
        let kinds = [PLAIN, LEASED, ASKING].into_iter();
        let (_, length) = kinds.into_iter().find(|(known, _)| known == kind)?;
        let (record, behind) = rest.split_at_checked(length)?;
        let (id, _) = record.get(1..)?.split_first_chunk::<16>()?;
        if *id == caller.bits().to_le_bytes() {
            let before = accounts.get(..accounts.len().checked_sub(rest.len())?)?;
            let again = found.replace((Some(parse(record)?), [before, behind]));
            if again.is_some() {
                return None;
            }
        }
        rest = behind;
    }
    Some(found.unwrap_or((None, [accounts, &[]])))
}

fn write(caller: CallerId, account: &Account) -> Vec<u8> {
    let lease = account.lease.as_ref();
    let question = lease.and_then(|lease| lease.question);
    let (kind, length) = match (lease, question) {
        (None, _) => PLAIN,
        (Some(_), None) => LEASED,
        (Some(_), Some(_)) => ASKING,
    };
    let mut record = Vec::with_capacity(length);
    record.push(kind);
    record.extend_from_slice(&caller.bits().to_le_bytes());
    record.extend_from_slice(&account.total().to_le_bytes());
    if let Some(lease) = lease {
        for number in [lease.ledger, lease.granted, lease.elsewhere] {
            record.extend_from_slice(&number.to_le_bytes());
        }
        for time in [lease.used_at, lease.refused_at] {
            record.extend_from_slice(&time.as_micros().to_le_bytes());
        }
    }
    if let Some(Question { id, want, limit }) = question {
        record.extend_from_slice(&id.to_le_bytes());
        record.extend_from_slice(&want.to_le_bytes());
        record.extend_from_slice(&limit.to_le_bytes());
    }
    record
}

/// The account in a record of the length that its kind has.
fn parse(record: &[u8]) -> Option<Account> {
    let mut rest = record.get(1..)?.split_first_chunk::<16>()?.1;
    let total = number(&mut rest)?;
    if rest.is_empty() {
        return Some(Account::new(total, None));
    }
    let mut lease = Lease {
        ledger: number(&mut rest)?,
        granted: number(&mut rest)?,
        elsewhere: number(&mut rest)?,
        used_at: time(&mut rest)?,
        refused_at: time(&mut rest)?,
        question: None,
    };
    if let Some((id, tail)) = rest.split_first_chunk() {
        rest = tail;
        lease.question = Some(Question {
            id: u128::from_le_bytes(*id),
            want: number(&mut rest)?,
            limit: number(&mut rest)?,
        });
    }
    Some(Account::new(total, Some(lease)))
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (bytes, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(u64::from_le_bytes(*bytes))
}

fn time(rest: &mut &[u8]) -> Option<UnixTime> {
    Some(UnixTime::from_micros(number(rest)?.cast_signed()))
}

#[cfg(test)]
mod tests;
