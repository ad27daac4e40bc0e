//! Edits of a content, as an Edit record or a consolidated Accept holds them.

use bytes::Bytes;

use super::fields::{Fields, Malformed, put_field, put_number, put_octets};
use crate::spool::{Edit, EditList};

const EDIT: u8 = 1;

const AT: u8 = 1;
const REMOVE: u8 = 2;
const INSERT: u8 = 3;

pub(super) fn put_edits(out: &mut Vec<u8>, edits: &EditList) {
    for edit in edits.edits() {
        put_field(out, EDIT, |out| {
            put_number(out, AT, edit.at);
            put_number(out, REMOVE, edit.remove);
            put_octets(out, INSERT, &edit.insert);
        });
    }
}

pub(super) fn read_edits(mut fields: Fields<'_>) -> Result<EditList, Malformed> {
    let mut edits = Vec::new();
    while let Some(field) = fields.next()? {
        if field.tag == EDIT {
            edits.push(read_edit(field.fields())?);
        }
    }
    EditList::new(edits).map_err(|_| Malformed("edits that are too many or out of order"))
}

fn read_edit(mut fields: Fields<'_>) -> Result<Edit, Malformed> {
    let mut edit = Edit { at: 0, remove: 0, insert: Bytes::new() };
    while let Some(field) = fields.next()? {
        match field.tag {
            AT => edit.at = field.number()?,
            REMOVE => edit.remove = field.number()?,
            INSERT => edit.insert = Bytes::copy_from_slice(field.value),
            _ => {}
        }
    }
    Ok(edit)
}
