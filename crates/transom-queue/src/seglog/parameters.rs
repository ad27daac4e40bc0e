//! Parameters of MAIL and RCPT that came later than the first form of the Accept record: a field
//! with fields, which an older version carries along as it is.

use transom_types::{BodyType, ExtensionParameter, FutureRelease, MailParameters};

use super::fields::{Fields, Malformed, put_flag, put_text};

const BINARY_MIME: u8 = 1;
const AUTH: u8 = 2;
const DELIVER_BY: u8 = 3;
const HOLD_FOR: u8 = 4;
const HOLD_UNTIL: u8 = 5;
const MT_PRIORITY: u8 = 6;
const REQUIRE_TLS: u8 = 7;
const EXTENSION: u8 = 8;

/// Appends each in the form that it has on the wire.
pub(super) fn put_later_parameters(out: &mut Vec<u8>, parameters: &MailParameters) {
    put_flag(out, BINARY_MIME, parameters.body == BodyType::BinaryMime);
    put_printed(out, AUTH, parameters.auth.as_ref());
    put_printed(out, DELIVER_BY, parameters.deliver_by.as_ref());
    match &parameters.hold {
        Some(FutureRelease::For(interval)) => put_printed(out, HOLD_FOR, Some(interval)),
        Some(FutureRelease::Until(moment)) => put_printed(out, HOLD_UNTIL, Some(moment)),
        None => {}
    }
    put_printed(out, MT_PRIORITY, parameters.mt_priority.as_ref());
    put_flag(out, REQUIRE_TLS, parameters.require_tls);
    for extension in &parameters.extensions {
        put_printed(out, EXTENSION, Some(extension));
    }
}

pub(super) fn put_printed<T: ToString>(out: &mut Vec<u8>, tag: u8, value: Option<&T>) {
    if let Some(value) = value {
        put_text(out, tag, Some(&value.to_string()));
    }
}

/// Reads them into `parameters`.
pub(super) fn read_later_parameters(
    parameters: &mut MailParameters,
    mut fields: Fields<'_>,
) -> Result<(), Malformed> {
    while let Some(field) = fields.next()? {
        match field.tag {
            BINARY_MIME => parameters.body = BodyType::BinaryMime,
            AUTH => parameters.auth = Some(parse(field.text()?, "no value of AUTH")?),
            DELIVER_BY => parameters.deliver_by = Some(parse(field.text()?, "no value of BY")?),
            HOLD_FOR => {
                let interval = parse(field.text()?, "no value of HOLDFOR")?;
                parameters.hold = Some(FutureRelease::For(interval));
            }
            HOLD_UNTIL => {
                let moment = parse(field.text()?, "no value of HOLDUNTIL")?;
                parameters.hold = Some(FutureRelease::Until(moment));
            }
            MT_PRIORITY => {
                parameters.mt_priority = Some(parse(field.text()?, "no value of MT-PRIORITY")?);
            }
            REQUIRE_TLS => parameters.require_tls = true,
            EXTENSION => parameters.extensions.push(read_extension(field.text()?)?),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn read_extension(text: &str) -> Result<ExtensionParameter, Malformed> {
    let (keyword, value) = match text.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (text, None),
    };
    ExtensionParameter::new(keyword, value).map_err(|_| Malformed("no parameter of a host program"))
}

pub(super) fn parse<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed(what))
}
