//! Names with wildcards, in lists of which the first that matches decides.

use crate::config::fault::{At, Findings};
use crate::config::reader::Located;
use crate::pattern::Pattern;
use crate::policy::compile::compiler::Compiler;

/// The patterns of one list so far, and where each stands.
#[derive(Default)]
pub(super) struct SeenPatterns(Vec<(At, Pattern)>);

impl Compiler<'_> {
    pub(super) fn pattern(&mut self, name: Located<&str>) -> Option<Located<Pattern>> {
        let value = Pattern::new(&self.text(name)?);
        Some(Located { at: name.at, value })
    }
}

// === impl SeenPatterns ===

impl SeenPatterns {
    /// Warns where an earlier one leaves nothing for it.
    pub(super) fn note(&mut self, at: At, pattern: &Pattern, findings: &mut Findings<'_>) {
        if let Some((first, _)) = self.0.iter().find(|(_, first)| first.covers(pattern)) {
            let first = findings.path(*first);
            let message = format!("never decides: {first} matches all of it before");
            findings.warn(at, message);
        }
        self.0.push((at, pattern.clone()));
    }
}
