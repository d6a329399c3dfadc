use super::*;

const MOST: u64 = WHOLE_NUMBER;

#[test]
fn an_estimate_must_fit_beside_what_is_spent() {
    // (spent, limit, estimate, admitted, remaining)
    let table = [
        (0, 0, 0, false, 0),
        (0, 0, 1, false, 0),
        (0, 1, 0, true, 1),
        (0, 1, 1, true, 1),
        (0, 1, 2, false, 1),
        (99, 100, 1, true, 1),
        (99, 100, 2, false, 1),
        (100, 100, 0, true, 0),
        (100, 100, 1, false, 0),
        (101, 100, 0, false, 0),
        (101, 100, 1, false, 0),
        (0, 100, u64::MAX, false, 100),
        (u64::MAX, 100, 0, false, 0),
        (u64::MAX, u64::MAX, 0, false, 0),
        (0, MOST, MOST, true, MOST),
        (1, MOST, MOST, false, MOST - 1),
        // No limit is larger.
        (0, u64::MAX, MOST + 1, false, MOST),
        (0, u64::MAX, MOST, true, MOST),
    ];
    for (spent, limit, estimate, admitted, remaining) in table {
        let account = Account::new(spent, None);
        let is = (account.admits(limit, estimate), account.remaining(limit));
        assert_eq!(is, (admitted, remaining), "{spent} {limit} {estimate}");
    }
}

#[test]
fn what_is_spent_stays_within_its_numbers() {
    // (spent, changes, spent afterwards)
    let table: [(u64, &[i128], u64); 8] = [
        (0, &[5, -5], 0),
        (10, &[-3, 20], 27),
        // More than was there was never reserved.
        (10, &[-11], 0),
        (u64::MAX - 1, &[1], u64::MAX),
        (u64::MAX - 1, &[2], u64::MAX),
        // Once nobody knows how much it is, nothing is taken from it.
        (u64::MAX - 1, &[5, -5], u64::MAX),
        (u64::MAX, &[-5], u64::MAX),
        (1, &[i128::MAX, i128::MIN], u64::MAX),
    ];
    for (spent, changes, expected) in table {
        let mut account = Account::new(spent, None);
        changes.iter().for_each(|by| account.change(*by));
        assert_eq!(account.total(), expected, "{spent} {changes:?}");
    }
}

#[test]
fn an_account_with_a_lease_is_not_empty() {
    assert!(Account::default().is_empty());
    assert!(!Account::new(1, None).is_empty());
    let lease = Lease {
        ledger: 0,
        granted: 0,
        elsewhere: 0,
        used_at: UnixTime::FAR_PAST,
        refused_at: UnixTime::FAR_PAST,
        question: None,
    };
    assert!(!Account::new(0, Some(lease)).is_empty());
}
