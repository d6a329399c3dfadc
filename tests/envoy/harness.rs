//! What the cases are written with.

pub mod codes;
pub mod envoy;
pub mod faults;
pub mod gateway;
pub mod keys;
pub mod policy;
pub mod refusal;
pub mod table;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_testing::outside_data::skipped;
pub use portcullis_testing::{PATIENCE, client, poll, service};

/// What a busy machine may add to a limit that the contract states.
pub const NOISE: Duration = Duration::from_millis(2000);

/// Which backend judges the tables here.
pub const IS_NATIVE: bool = false;

/// Seconds since the epoch.
pub fn now() -> i64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    i64::try_from(since_epoch.as_secs()).expect("before the year 292277026596")
}

/// An RFC 3339 time.
pub fn rfc3339(unix: i64) -> String {
    let (day, second) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    // Years that begin in March, so that the leap day is the last (the Gregorian cycle has 146,097 days).
    let of_cycle = (day + 719_468).rem_euclid(146_097);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day_of_month, month) = (of_year - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
    let year = year + (day + 719_468).div_euclid(146_097) * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `curl`, for what our own client does not speak: TLS and HTTP/2. `None`, and the test is reported as skipped, where there is none.
pub fn curl() -> Option<fn() -> Command> {
    let version = Command::new("curl").arg("--version").output();
    let speaks = |version: &Output| String::from_utf8_lossy(&version.stdout).contains("HTTP2");
    if !version.is_ok_and(|version| speaks(&version)) {
        skipped("there is no curl that speaks HTTP/2");
        return None;
    }
    Some(|| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--max-time", "30"]);
        curl
    })
}

/// The folder of Python packages that this variable names, or else the one of this name in `.cache`: for PYTHONPATH.
pub fn python_packages(variable: &str, name: &str) -> PathBuf {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache");
    let folder = env::var_os(variable).map_or_else(|| cache.join(name), PathBuf::from);
    assert!(
        folder.is_dir(),
        "no Python packages at {}: run `make test`, or set {variable}",
        folder.display()
    );
    folder
}

/// The answer's head and body as curl prints them.
pub fn run_curl(mut curl: Command) -> String {
    let output = curl.output().expect("curl is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{curl:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
