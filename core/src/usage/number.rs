//! The number that a JSON text writes, read byte by byte.
//!
//! Exact, and without the text: a writer may put any number of zeros into it.

use crate::limits::WHOLE_NUMBER;

/// A number so far: `significand` times ten to the power of what the other fields add up to.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    part: Part,
    is_negative: bool,
    /// The digits up to the last one that is not zero.
    significand: u64,
    /// There were more digits than a significand holds.
    is_long: bool,
    /// Zeros behind the significand.
    zeros: i64,
    /// Digits behind the point.
    fraction: i64,
    exponent: i64,
    is_exponent_negative: bool,
}

/// Which part of a number the last byte belongs to (RFC 8259 §6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Begin,
    Minus,
    /// A zero, which no digit may follow.
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
    /// This is no number.
    Broken,
}

// === impl Number ===

impl Number {
    /// A number of which nothing has been read.
    pub const fn new() -> Self {
        Number {
            part: Part::Begin,
            is_negative: false,
            significand: 0,
            is_long: false,
            zeros: 0,
            fraction: 0,
            exponent: 0,
            is_exponent_negative: false,
        }
    }

    /// Reads the next byte.
    pub fn read(&mut self, byte: u8) {
        self.part = match (self.part, byte) {
            (Part::Begin, b'-') => {
                self.is_negative = true;
                Part::Minus
            }
            (Part::Begin | Part::Minus, b'0') => Part::Zero,
            (Part::Begin | Part::Minus | Part::Integer, b'0'..=b'9') => {
                self.digit(byte);
                Part::Integer
            }
            (Part::Zero | Part::Integer, b'.') => Part::Point,
            (Part::Point | Part::Fraction, b'0'..=b'9') => {
                self.digit(byte);
                self.fraction = self.fraction.saturating_add(1);
                Part::Fraction
            }
            (Part::Zero | Part::Integer | Part::Fraction, b'e' | b'E') => Part::E,
            (Part::E, b'+' | b'-') => {
                self.is_exponent_negative = byte == b'-';
                Part::Sign
            }
            (Part::E | Part::Sign | Part::Exponent, b'0'..=b'9') => {
                let digit = byte.wrapping_sub(b'0').into();
                self.exponent = self.exponent.saturating_mul(10).saturating_add(digit);
                Part::Exponent
            }
            _ => Part::Broken,
        };
    }

    fn digit(&mut self, byte: u8) {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit == 0 {
            // In front of the significand they mean nothing.
            let counts = i64::from(self.significand != 0);
            self.zeros = self.zeros.saturating_add(counts);
            return;
        }
        let shifted = times_ten_to(self.significand, self.zeros.saturating_add(1));
        match shifted.and_then(|shifted| shifted.checked_add(digit)) {
            Some(significand) => self.significand = significand,
            None => self.is_long = true,
        }
        self.zeros = 0;
    }

    /// The number that was read, if it is whole and a number of tokens: 0 to [`WHOLE_NUMBER`].
    pub fn tokens(&self) -> Option<u64> {
        match self.part {
            Part::Zero | Part::Integer | Part::Fraction | Part::Exponent => {}
            _ => return None,
        }
        if self.significand == 0 {
            // `-0` is zero as well.
            return Some(0);
        }
        // The last digit of a significand is not zero: a long one is too large, or it is not whole.
        if self.is_long || self.is_negative {
            return None;
        }
        let exponent = match self.is_exponent_negative {
            true => self.exponent.saturating_neg(),
            false => self.exponent,
        };
        let power = self
            .zeros
            .saturating_sub(self.fraction)
            .saturating_add(exponent);
        times_ten_to(self.significand, power).filter(|tokens| *tokens <= WHOLE_NUMBER)
    }
}

/// `None` for what is too large or, below the power of zero, not whole.
fn times_ten_to(significand: u64, power: i64) -> Option<u64> {
    if significand == 0 {
        return Some(0);
    }
    let power = 10_u64.checked_pow(u32::try_from(power).ok()?)?;
    significand.checked_mul(power)
}

#[cfg(test)]
mod tests;
