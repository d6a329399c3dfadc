//! Budgets: what callers have used in a window of time, exactly, for all workers of an Envoy process.
//!
//! Every worker runs its own copy of the module. They share a map of bytes with compare-and-swap, whose keys
//! are never freed. So the accounts of a budget are spread over a fixed number of buckets, one key each: whoever
//! reserves or settles reads a bucket, and writes what becomes of it if nobody has written in between.
//!
//! An account is one number, of what is spent and what is reserved. A request adds its estimate and, when it
//! ends, the difference to what it used. So what a worker had reserved that is lost counts as spent, and nobody
//! has to find out which workers are alive.

use std::collections::BTreeMap;

use crate::budget::account::Account;
use crate::budget::book::BudgetBook;
use crate::budget::bucket::{Bucket, Opened};
use crate::budget::caller::{CallerId, CallerKey};
use crate::budget::map::{Broken, SharedMap};
use crate::budget::places::Places;
use crate::budget::process::Process;
use crate::budget::reserved::{Balance, Reservation, Reserved};
use crate::budget::window::Window;
use crate::time::UnixTime;

pub mod account;
pub mod book;
pub mod bucket;
pub mod caller;
pub mod map;
pub mod places;
pub mod process;
pub mod reserved;
pub mod window;

/// One worker's way to a budget that all workers of the process share.
#[derive(Debug)]
pub struct SharedBudget<M> {
    map: M,
    book: BudgetBook,
    process: Process,
    /// What the names of all its keys begin with.
    prefix: String,
    /// What could not be written yet.
    unwritten: BTreeMap<(CallerId, i64), i128>,
}

/// Why an account could not be read or written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// There is no room for another caller.
    Full,
    /// What the callers of this bucket had spent is lost.
    Lost,
    /// The host fails, or has no clock, or others were faster too often.
    Unavailable,
}

/// How much room there is for a caller that has no account yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// As much as is configured.
    Configured,
    /// Always some: what was used is never forgotten, and there are at most as many such callers as requests
    /// under way.
    Always,
}

/// How often a bucket is written before something else has to be done. Each failure says that another worker's
/// write succeeded, which takes microseconds; so many in a row are no coincidence.
const ATTEMPTS: usize = 64;

impl<M: SharedMap> SharedBudget<M> {
    /// The budget that all configurations share whose books have the same digest. `prefix` is what the names of
    /// all budgets' keys begin with.
    pub fn new(map: M, prefix: &str, book: BudgetBook, process: Process) -> Self {
        SharedBudget {
            map,
            prefix: format!("{prefix}/{}", book.digest()),
            book,
            process,
            unwritten: BTreeMap::new(),
        }
    }

    /// Which budget it is.
    pub fn book(&self) -> &BudgetBook {
        &self.book
    }

    /// What the process has drawn at random.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Reserves an estimate, if it fits into the caller's limit.
    pub fn reserve(
        &self,
        caller: &CallerKey,
        limit: u64,
        estimate: u64,
        now: UnixTime,
    ) -> Reserved {
        let reserved = self.update(caller.id(), now, Room::Configured, |account, window| {
            let mut changed = account.clone().unwrap_or_default();
            let is_admitted = changed.admits(limit, estimate);
            if is_admitted {
                changed.change(i128::from(estimate));
                *account = Some(changed.clone());
            }
            let remaining = changed.remaining(limit);
            (is_admitted, Balance { remaining, window })
        });
        match reserved {
            Ok((true, balance)) => {
                let reservation = Reservation::new(caller, balance.window, limit, estimate);
                Reserved::Admitted(reservation, balance)
            }
            Ok((false, balance)) => Reserved::Refused(balance),
            Err(trouble) => trouble.into(),
        }
    }

    /// A request has ended and used this much: the caller's account afterwards. Nothing is done for a window that
    /// is past.
    pub fn settle(
        &mut self,
        reservation: Reservation,
        used: u64,
        now: UnixTime,
    ) -> Option<Account> {
        let difference = i128::from(used).saturating_sub(i128::from(reservation.estimate()));
        let caller = reservation.caller().id();
        self.change(caller, reservation.window(), difference, now)
    }

    /// A request does not go on, so it uses nothing.
    pub fn give_back(&mut self, reservation: Reservation, now: UnixTime) -> Option<Account> {
        self.settle(reservation, 0, now)
    }

    /// Something was used that nobody had reserved. Nothing is spent where there is no room for the caller.
    pub fn charge(&mut self, caller: &CallerKey, used: u64, now: UnixTime) -> Result<(), Trouble> {
        if used == 0 {
            return Ok(());
        }
        let charged = self.update(caller.id(), now, Room::Configured, |account, _| {
            let account = account.get_or_insert_default();
            account.change(i128::from(used));
        });
        match (charged, self.window(now)) {
            (Err(Trouble::Unavailable), Some(window)) => {
                self.put_off(caller.id(), window, i128::from(used));
                Ok(())
            }
            (charged, _) => charged,
        }
    }

    /// What is left of a limit.
    pub fn peek(&self, caller: &CallerKey, limit: u64, now: UnixTime) -> Result<Balance, Trouble> {
        self.update(caller.id(), now, Room::Configured, |account, window| {
            let account = account.clone().unwrap_or_default();
            Balance {
                remaining: account.remaining(limit),
                window,
            }
        })
    }

    /// Writes what could not be written before. To be called with each tick, and before the worker goes.
    pub fn tick(&mut self, now: UnixTime) {
        let Some(window) = self.window(now) else {
            return;
        };
        for ((caller, begin), by) in std::mem::take(&mut self.unwritten) {
            if let Some(of) = window.beginning_at(begin) {
                self.change(caller, of, by, now);
            }
        }
    }

    /// The window that is now by the clock.
    pub fn window(&self, now: UnixTime) -> Option<Window> {
        Window::of(now, self.book.window)
    }

    /// Adds to what a caller has spent or reserved in a window: the account afterwards. Where that is not possible
    /// now it is done with a later tick.
    fn change(&mut self, caller: CallerId, of: Window, by: i128, now: UnixTime) -> Option<Account> {
        let changed = self.update(caller, now, Room::Always, |account, window| {
            if window != of {
                return None;
            }
            let changed = account.get_or_insert_default();
            changed.change(by);
            if let Some(lease) = &mut changed.lease {
                lease.used_at = now;
            }
            let changed = changed.clone();
            account.take_if(|account| account.is_empty());
            Some(changed)
        });
        if changed == Err(Trouble::Unavailable) {
            self.put_off(caller, of, by);
        }
        changed.ok().flatten()
    }

    /// One entry for each caller, however many requests of it end while nothing can be written.
    fn put_off(&mut self, caller: CallerId, of: Window, by: i128) {
        let unwritten = self.unwritten.entry((caller, of.begin())).or_default();
        *unwritten = unwritten.saturating_add(by);
    }

    /// Changes a caller's account for all workers. `change` gets the account, if there is one, and the window that
    /// it is of. It is called again where another worker was faster, so it may do nothing else.
    pub(crate) fn update<R>(
        &self,
        caller: CallerId,
        now: UnixTime,
        room: Room,
        mut change: impl FnMut(&mut Option<Account>, Window) -> R,
    ) -> Result<R, Trouble> {
        let now = self.window(now).ok_or(Trouble::Unavailable)?;
        let bucket = self.book.table.bucket_of(caller.bits());
        let key = format!("{}/{bucket}", self.prefix);
        let mut place = None;
        let mut changed = Err(Trouble::Unavailable);
        for _ in 0..ATTEMPTS {
            match self.attempt(&key, caller, now, room, &mut place, &mut change) {
                Ok(None) => {}
                Ok(Some(result)) => {
                    changed = Ok(result);
                    break;
                }
                Err(trouble) => {
                    changed = Err(trouble);
                    break;
                }
            }
        }
        if let Some(window) = place {
            self.give_place_back(window);
        }
        changed
    }

    /// `None` where another worker was faster. `place` is one that is taken and not filled.
    fn attempt<R>(
        &self,
        key: &str,
        caller: CallerId,
        now: Window,
        room: Room,
        place: &mut Option<Window>,
        change: &mut impl FnMut(&mut Option<Account>, Window) -> R,
    ) -> Result<Option<R>, Trouble> {
        let held = self.map.get(key)?;
        let bucket = match Bucket::open(held.bytes.as_deref(), caller, now) {
            Opened::Intact(bucket) => bucket,
            Opened::Lost { marker: None } => return Err(Trouble::Lost),
            Opened::Lost {
                marker: Some(marker),
            } => {
                return match self.map.swap(key, &held, &marker)? {
                    true => Err(Trouble::Lost),
                    false => Ok(None),
                };
            }
        };
        let before = bucket.account();
        let mut account = before.cloned();
        let result = change(&mut account, bucket.window());
        if account.as_ref() == before {
            return Ok(Some(result));
        }
        if before.is_none() && place.is_none() {
            *place = Some(self.take_place(bucket.window(), room)?);
        }
        if !self
            .map
            .swap(key, &held, &bucket.with(caller, account.as_ref()))?
        {
            return Ok(None);
        }
        match (before, account) {
            (None, Some(_)) => *place = None,
            (Some(_), None) => *place = Some(bucket.window()),
            _ => {}
        }
        Ok(Some(result))
    }

    fn take_place(&self, window: Window, room: Room) -> Result<Window, Trouble> {
        let most = match room {
            Room::Configured => self.book.table.places(),
            Room::Always => usize::MAX,
        };
        let taken = self.change_places(window, |places| places.take(most).ok_or(Trouble::Full));
        match room {
            Room::Configured => taken.map(|()| window),
            Room::Always => Ok(window),
        }
    }

    /// Where that is not possible it stays empty until the window ends.
    fn give_place_back(&self, of: Window) {
        let _ = self.change_places(of, |places| places.give_back(of).ok_or(Trouble::Full));
    }

    fn change_places(
        &self,
        window: Window,
        change: impl Fn(Places) -> Result<Places, Trouble>,
    ) -> Result<(), Trouble> {
        let key = format!("{}/callers", self.prefix);
        for _ in 0..ATTEMPTS {
            let held = self.map.get(&key)?;
            let places = Places::read(held.bytes.as_deref(), window);
            if self.map.swap(&key, &held, &change(places)?.to_bytes())? {
                return Ok(());
            }
        }
        Err(Trouble::Unavailable)
    }
}

// === impl Trouble ===

impl From<Broken> for Trouble {
    fn from(_: Broken) -> Self {
        Trouble::Unavailable
    }
}

impl From<Trouble> for Reserved {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Full => Reserved::Full,
            Trouble::Lost | Trouble::Unavailable => Reserved::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests;
