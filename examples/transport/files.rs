//! What the program reads from files: the configuration, the directory, passwords.

use std::fs::read_to_string;
use std::path::Path;

use transom::agent::{FallbackDirectory, MemoryDirectory, MemorySecrets};
use transom::connector::Configuration;
use transom::types::Secret;

use crate::arguments::Arguments;

/// The configuration that the flags name. The error is one line.
pub(crate) fn configuration(arguments: &Arguments) -> Result<Option<Configuration>, String> {
    let Some(file) = &arguments.config else { return Ok(None) };
    let text = text("--config", file)?;
    let read = if file.extension().is_some_and(|ending| ending == "json") {
        Configuration::from_json(&text)
    } else {
        Configuration::from_toml(&text)
    };
    let first = |wrong: Vec<String>| {
        let more = match wrong.len() {
            0 | 1 => String::new(),
            count => format!(" (and {} more, see lint)", count.saturating_sub(1)),
        };
        let first = wrong.into_iter().next().unwrap_or_default();
        format!("--config {}: {first}{more}", file.display())
    };
    read.map(Some).map_err(|errors| first(errors.iter().map(ToString::to_string).collect()))
}

/// The directory that the flags name.
pub(crate) fn directory(
    arguments: &Arguments,
) -> Result<Option<FallbackDirectory<MemoryDirectory>>, String> {
    let Some(file) = &arguments.directory else { return Ok(None) };
    let read = FallbackDirectory::from_toml(&text("--directory", file)?);
    read.map(Some).map_err(|error| format!("--directory {}: {error}", file.display()))
}

/// The passwords that the flags name: the first line of each file.
pub(crate) fn secrets(arguments: &Arguments) -> Result<MemorySecrets, String> {
    let mut secrets = MemorySecrets::default();
    for (name, file) in &arguments.secrets {
        let text = text("--secret", file)?;
        let password = text.lines().next().unwrap_or_default();
        if password.is_empty() {
            return Err(format!("--secret {}: its first line is empty", file.display()));
        }
        secrets = secrets.with_secret(name, Secret::new(password.as_bytes()));
    }
    Ok(secrets)
}

fn text(flag: &str, file: &Path) -> Result<String, String> {
    read_to_string(file).map_err(|error| format!("{flag} {}: {error}", file.display()))
}
