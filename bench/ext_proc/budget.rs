//! What each client has spent, and what is reserved for its requests under way.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::settings;

/// The budget of all clients.
pub struct Budget {
    settings: settings::Budget,
    accounts: Mutex<HashMap<String, Account>>,
}

/// One client's, in one window.
#[derive(Default)]
struct Account {
    window: u64,
    spent: u64,
    reserved: u64,
}

/// What a request has reserved, until it is settled.
pub struct Reservation {
    client: String,
    window: u64,
    pub tokens: u64,
}

impl Budget {
    pub fn new(settings: settings::Budget) -> Self {
        Budget {
            settings,
            accounts: Mutex::default(),
        }
    }

    /// What is reserved for a request that names no maximum.
    pub fn default_output_tokens(&self) -> u64 {
        self.settings.default_output_tokens
    }

    /// Reserves so many tokens; none, where the client has no more.
    pub fn reserve(&self, client: &str, tokens: u64, now: u64) -> Option<Reservation> {
        let window = now - now % self.settings.window;
        self.with(client, window, |account| {
            if account.spent + account.reserved + tokens > self.settings.limit {
                return None;
            }
            account.reserved += tokens;
            Some(Reservation {
                client: client.to_owned(),
                window,
                tokens,
            })
        })
    }

    /// Charges what was used instead.
    pub fn settle(&self, reservation: Reservation, used: u64) {
        let Reservation {
            client,
            window,
            tokens,
        } = reservation;
        self.with(&client, window, |account| {
            account.reserved = account.reserved.saturating_sub(tokens);
            account.spent += used;
        });
    }

    /// The values of `RateLimit-Policy` and `RateLimit`.
    pub fn limits(&self, reservation: &Reservation, now: u64) -> [String; 2] {
        let settings::Budget {
            name,
            limit,
            window,
            ..
        } = &self.settings;
        let taken = self.with(&reservation.client, reservation.window, |account| {
            account.spent + account.reserved
        });
        let left = limit.saturating_sub(taken);
        let until = (reservation.window + window).saturating_sub(now).max(1);
        [
            format!("\"{name}\";q={limit};w={window}"),
            format!("\"{name}\";r={left};t={until}"),
        ]
    }

    fn with<T>(&self, client: &str, window: u64, act: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if !accounts.contains_key(client) {
            accounts.insert(client.to_owned(), Account::default());
        }
        let mut gone = Account::default();
        let account = accounts.get_mut(client).unwrap_or(&mut gone);
        if account.window < window {
            *account = Account {
                window,
                ..Account::default()
            };
        }
        match account.window == window {
            true => act(account),
            // A window that has passed is nobody's business any more.
            false => act(&mut Account::default()),
        }
    }
}
