//! Secrets: from the VM's environment, or from the configuration where the operator insists.

use crate::config::SecretSource;
use crate::config::reader::At;
use crate::policy::compile::Compiler;
use crate::secret::Secret;

impl Compiler<'_> {
    pub(super) fn secret(
        &mut self,
        source: SecretSource<'_>,
        least: usize,
        at: At<'_>,
    ) -> Option<Secret> {
        let (key, secret) = match source {
            SecretSource::Env(name) => ("env", self.variable(name, at.key("env"))?),
            SecretSource::DangerInline(secret) => ("danger_inline", secret.to_owned()),
        };
        if secret.len() < least {
            let found = format!("a secret of {} bytes", secret.len());
            self.faults
                .unfit(at.key(key), found, format!("{least} or more"));
            return None;
        }
        Some(Secret::new(secret))
    }

    fn variable(&mut self, name: &str, at: At<'_>) -> Option<String> {
        let value = (self.environment)(name);
        let state = match value {
            Some(value) if !value.is_empty() => return Some(value),
            Some(_) => "empty",
            None => "unset",
        };
        // Somebody may have written the secret itself where its name belongs, so nothing is
        // repeated that does not look like a name.
        let usual = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let found = if name.bytes().all(usual) && (1..=64).contains(&name.len()) {
            format!("{name}, which is {state}")
        } else {
            format!(
                "a name of {} characters, which is {state}",
                name.chars().count()
            )
        };
        let expected = "a variable that is set in the VM's environment";
        self.faults.unfit(at, found, expected);
        None
    }
}
