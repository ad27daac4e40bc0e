//! The messages that wait, as lines.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use transom_queue::{Inspection, LoadedMessage, MessageState, POISON_ACTOR, RecipientState};

/// Writes a line for each message, and one for each of its recipients unless `short`. Whether all
/// could be read.
pub(crate) fn list(spool: &Inspection, short: bool, out: &mut dyn Write) -> io::Result<bool> {
    #[expect(clippy::disallowed_methods, reason = "ages are told by the clock")]
    let now = SystemTime::now();
    let (mut count, mut damaged) = (0u64, 0u64);
    for id in spool.ids() {
        match spool.message(id) {
            Ok(message) => {
                write_message(out, &message, now)?;
                if !short {
                    write_recipients(out, &message, now)?;
                }
                count += 1;
            }
            Err(error) => {
                writeln!(out, "{id}  {error}")?;
                damaged += 1;
            }
        }
    }
    writeln!(out, "{count} messages")?;
    if damaged > 0 {
        writeln!(out, "{damaged} more are damaged")?;
    }
    Ok(damaged == 0)
}

fn write_message(out: &mut dyn Write, loaded: &LoadedMessage, now: SystemTime) -> io::Result<()> {
    let LoadedMessage { id, message, state } = loaded;
    let open = state.recipients.iter().filter(|recipient| recipient.is_open()).count();
    let age = now.duration_since(message.received_at).unwrap_or_default();
    let sender = printable(&message.envelope.reverse_path.to_string());
    write!(out, "{id}  age {}  {} octets  from {sender}  ", span(age), message.facts.octets)?;
    write!(out, "{open} of {} recipients open", state.recipients.len())?;
    for word in holds(state) {
        write!(out, "  {word}")?;
    }
    writeln!(out)
}

/// What keeps a message from being just tried.
pub(crate) fn holds(state: &MessageState) -> Vec<String> {
    let held = state.suspended.as_deref().map(|actor| match actor {
        POISON_ACTOR => "poison".to_owned(),
        actor => format!("held by {}", printable(actor)),
    });
    let doubt = state.intent.as_ref();
    let doubt = doubt.map(|intent| format!("in doubt at {}", printable(&intent.host)));
    held.into_iter().chain(doubt).collect()
}

fn write_recipients(
    out: &mut dyn Write,
    loaded: &LoadedMessage,
    now: SystemTime,
) -> io::Result<()> {
    let recipients = loaded.message.envelope.recipients.iter().zip(&loaded.state.recipients);
    for (recipient, state) in recipients {
        let path = printable(&recipient.forward_path.to_string());
        writeln!(out, "    to {path}  {}{}", status(state), next(state, now))?;
    }
    Ok(())
}

/// What has become of a recipient, in a few words.
pub(crate) fn status(state: &RecipientState) -> String {
    let Some(outcome) = &state.outcome else {
        return "untried".to_owned();
    };
    let code = outcome.status().map(|status| format!(" {}", status.code)).unwrap_or_default();
    let attempts = match state.attempts {
        0 => String::new(),
        1 => ", 1 attempt".to_owned(),
        more => format!(", {more} attempts"),
    };
    format!("{}{code}{attempts}", outcome.name())
}

fn next(state: &RecipientState, now: SystemTime) -> String {
    match state.retry_at.filter(|_| state.is_open()).map(|at| at.duration_since(now)) {
        Some(Ok(wait)) => format!(", next in {}", span(wait)),
        _ if state.is_open() => ", next at once".to_owned(),
        _ => String::new(),
    }
}

/// The two largest units.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// A text from outside, without what would move a terminal's cursor or turn its lines around.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => safe.push(c),
            other => safe.extend(other.escape_debug()),
        }
    }
    safe
}
