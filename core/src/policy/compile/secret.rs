//! Secrets: from the VM's environment, or from the configuration where the operator insists.

use crate::config::SecretConfig;
use crate::config::reader::Located;
use crate::policy::compile::compiler::Compiler;
use crate::secret::Secret;

/// A name of a variable; a longer text is rather a secret in its place.
const NAME_CHARACTERS: std::ops::RangeInclusive<usize> = 1..=64;

impl Compiler<'_> {
    pub(super) fn secret(
        &mut self,
        source: SecretConfig<'_>,
        least_bytes: usize,
    ) -> Option<Secret> {
        let (at, secret) = match source {
            SecretConfig::Env(name) => (name.at, self.variable(name)?),
            SecretConfig::DangerInline(secret) => (secret.at, secret.value.to_owned()),
        };
        if secret.len() < least_bytes {
            let found = format!("a secret of {} bytes", secret.len());
            let expected = format!("{least_bytes} or more");
            self.findings.unfit(at, found, expected);
            return None;
        }
        Some(Secret::new(secret))
    }

    fn variable(&mut self, Located { at, value: name }: Located<&str>) -> Option<String> {
        let value = (self.environment)(name);
        let state = match value {
            Some(value) if !value.is_empty() => return Some(value),
            Some(_) => "empty",
            None => "unset",
        };
        // An operator may have written the secret itself here, so only what looks like a name is
        // repeated.
        let usual = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let found = if name.bytes().all(usual) && NAME_CHARACTERS.contains(&name.len()) {
            format!("{name}, which is {state}")
        } else {
            let characters = name.chars().count();
            format!("a name of {characters} characters, which is {state}")
        };
        let expected = "a variable that is set in the VM's environment";
        self.findings.unfit(at, found, expected);
        None
    }
}
