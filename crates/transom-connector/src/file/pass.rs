//! Objects of the configuration, and what goes over their fields.

use super::form::Form;

/// A table of the file. It names its fields once, for whoever reads, writes or describes them.
pub(super) trait Object {
    /// Goes over all fields.
    fn fields<P: Pass>(&mut self, pass: &mut P);
}

/// A table that may be there more than once, or not at all.
pub(super) trait Entry: Object + Sized {
    /// One in which nothing is set.
    fn blank() -> Option<Self>;
}

/// What goes over the fields of an object: the reader sets them, the writer and the describer look
/// at them.
pub(super) trait Pass {
    /// A field that has a default: what `value` is before.
    fn field<F: Form>(
        &mut self,
        name: &'static str,
        about: &'static str,
        form: F,
        value: &mut F::Value,
    );

    /// A field that must be there.
    fn required<F: Form>(
        &mut self,
        name: &'static str,
        about: &'static str,
        form: F,
        value: &mut F::Value,
    );

    /// A table that is always meant.
    fn table<T: Object>(&mut self, name: &'static str, about: &'static str, value: &mut T);

    /// A table that is there or not.
    fn maybe<T: Entry>(&mut self, name: &'static str, about: &'static str, value: &mut Option<T>);

    /// Tables of one kind.
    fn entries<T: Entry>(&mut self, name: &'static str, about: &'static str, value: &mut Vec<T>);

    /// Whether fields are set: what follows from them is to be set too.
    fn is_reading(&self) -> bool {
        false
    }

    /// Says that a field cannot stand there beside others.
    fn refuse(&mut self, _name: &'static str, _expected: &'static str) {}
}
