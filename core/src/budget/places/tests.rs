#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use super::*;
use crate::time::UnixTime;

fn window(n: i64) -> Window {
    Window::of(UnixTime::from_secs(60 * n), Duration::from_secs(60)).unwrap()
}

fn taken(times: u64, of: Window) -> Places {
    let mut places = Places::read(None, of);
    for _ in 0..times {
        places = places.take(usize::MAX).unwrap();
    }
    places
}

#[test]
fn there_is_room_up_to_the_number_of_places() {
    let places = taken(2, window(5));
    assert_eq!(places.take(2), None);
    assert_eq!(places.take(1), None);
    assert_eq!(places.take(3), Some(taken(3, window(5))));
    assert_eq!(taken(0, window(5)).take(0), None);
}

#[test]
fn places_come_back_in_their_own_window() {
    let places = taken(2, window(5));
    assert_eq!(places.give_back(window(5)), Some(taken(1, window(5))));
    for other in [window(4), window(6)] {
        assert_eq!(places.give_back(other), None);
    }
    assert_eq!(taken(0, window(5)).give_back(window(5)), None);
}

#[test]
fn a_new_window_has_all_its_places_and_time_never_falls() {
    let bytes = taken(7, window(5)).to_bytes();
    assert_eq!(Places::read(Some(&bytes), window(5)), taken(7, window(5)));
    assert_eq!(Places::read(Some(&bytes), window(6)), taken(0, window(6)));
    assert_eq!(Places::read(Some(&bytes), window(4)), taken(7, window(5)));
}

#[test]
fn where_nobody_knows_how_many_are_taken_there_is_no_room_until_the_window_ends() {
    let intact = taken(7, window(5)).to_bytes();
    let mut damaged: Vec<Vec<u8>> = (0..intact.len())
        .map(|at| {
            let mut bytes = intact.clone();
            bytes[at] ^= 1;
            bytes
        })
        .collect();
    damaged.extend((0..intact.len()).map(|end| intact[..end].to_vec()));
    damaged.push(seal(&[0; 8]));
    damaged.push(seal(&[0; 17]));
    // No window begins there.
    damaged.push(seal(&[1; 16]));
    for bytes in damaged {
        let places = Places::read(Some(&bytes), window(5));
        assert_eq!(places.take(usize::MAX - 1), None);
        assert_eq!(places.give_back(window(5)), None);
        let bytes = places.to_bytes();
        assert_eq!(Places::read(Some(&bytes), window(5)).take(1000), None);
        assert!(Places::read(Some(&bytes), window(6)).take(1).is_some());
    }
}
