//! Lines in Envoy's log.

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

/// Why a configuration was not loaded.
pub fn critical(text: &str) {
    line(LogLevel::Critical, &format!("portcullis: {text}"));
}

/// What went wrong and needs somebody.
pub fn error(text: &str) {
    line(LogLevel::Error, &format!("portcullis: {text}"));
}

/// What an operator should know.
pub fn warn(text: &str) {
    line(LogLevel::Warn, &format!("portcullis: {text}"));
}

/// A line without our name before it: the audit log is JSON.
pub fn line(level: LogLevel, text: &str) {
    // A lost line is no reason to fail a request.
    let _ = hostcalls::log(level, text);
}
