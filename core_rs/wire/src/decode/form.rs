//! Checks of form over messages: the path of the field, and what the pure crate cannot know of protobuf.

use lockstock_stock::check;
use lockstock_stock::event::DeductionPolicy;
use lockstock_stock::ids::{LineNo, Micros};
use lockstock_stock::limits::Limits;
use lockstock_stock::refusal::Refusal;

/// A value of the right form, or why it is not.
pub(super) type Checked<T> = Result<T, Refusal>;

/// Puts a path before the field that a refusal names.
pub(super) trait At {
    /// The path is only written when it is needed.
    fn at(self, path: impl FnOnce() -> String) -> Self;
}

impl<T> At for Checked<T> {
    fn at(self, path: impl FnOnce() -> String) -> Self {
        self.map_err(|mut refusal| {
            if let Some(field) = field_of(&mut refusal) {
                *field = match field.as_str() {
                    "" => path(),
                    inner => format!("{}.{inner}", path()),
                };
            }
            refusal
        })
    }
}

/// The field that a refusal of form names.
fn field_of(refusal: &mut Refusal) -> Option<&mut String> {
    use Refusal as R;
    match refusal {
        R::FieldRequired { field }
        | R::IdInvalid { field }
        | R::TextTooLong { field, .. }
        | R::QuantityOutOfRange { field, .. }
        | R::DurationOutOfRange { field, .. }
        | R::NumberOutOfRange { field, .. }
        | R::EnumUnknown { field, .. }
        | R::TooManyLines { field, .. }
        | R::LineRepeated { field, .. }
        | R::FieldsConflict { field } => Some(field),
        _ => None,
    }
}

pub(super) fn required<T>(field: &str, value: Option<T>) -> Checked<T> {
    value.ok_or_else(|| missing(field))
}

pub(super) fn missing(field: impl Into<String>) -> Refusal {
    Refusal::FieldRequired { field: field.into() }
}

/// Ids, each once; in a path they stand without a name of their own (`warehouses[3]`).
pub(super) fn ids<'a, S: AsRef<str>>(field: &str, list: &'a [S]) -> Checked<Vec<&'a str>> {
    let checked: Vec<_> = super::each(field, list, |id| check::id("", id.as_ref()))?;
    check::unique(field, checked.iter().copied())?;
    Ok(checked)
}

/// What may not be set where it stands.
pub(super) fn unset(field: &str, unset: bool) -> Checked<()> {
    if unset { Ok(()) } else { Err(Refusal::FieldsConflict { field: field.to_owned() }) }
}

/// A line of an owner: they count from 1.
pub(super) fn line(line: u32) -> Checked<LineNo> {
    if line == 0 { Err(missing("line")) } else { Ok(line) }
}

pub(super) fn out_of_range(field: &str, value: i64, limit: &str) -> Refusal {
    Refusal::NumberOutOfRange { field: field.to_owned(), value: value.to_string(), limit: limit.to_owned() }
}

/// A number that an enum does not have, or does not allow.
pub(super) fn unknown(field: &str, value: i32) -> Refusal {
    Refusal::EnumUnknown { field: field.to_owned(), value: i64::from(value) }
}

/// When stock is taken; 0 where it is not said.
pub(super) fn policy(field: &str, number: i32) -> Checked<Option<DeductionPolicy>> {
    if number == 0 {
        return Ok(None);
    }
    let known = u8::try_from(number).ok().and_then(DeductionPolicy::from_number);
    known.map(Some).ok_or_else(|| unknown(field, number))
}

pub(super) fn different(from: &str, to: &str) -> Checked<()> {
    if from == to { Err(Refusal::SameWarehouse { warehouse: from.to_owned() }) } else { Ok(()) }
}

pub(super) fn hold(field: &str, hold: &prost_types::Duration, limits: &Limits) -> Checked<Micros> {
    check::hold(field, check::duration(field, hold.seconds, hold.nanos)?, limits)
}

pub(super) fn time(field: &str, at: &prost_types::Timestamp) -> Checked<Micros> {
    check::timestamp(field, at.seconds, at.nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_before_the_field_from_the_inside_out() {
        let inner: Checked<()> = Err(missing("sku"));
        let outer = inner.at(|| "lines[3]".to_owned()).at(|| "replacement".to_owned());
        assert_eq!(outer, Err(missing("replacement.lines[3].sku")));
        let elsewhere: Checked<()> = Err(Refusal::Draining {});
        assert_eq!(elsewhere.clone().at(|| "lines[3]".to_owned()), elsewhere);
    }

    #[test]
    fn an_id_of_a_list_is_named_by_its_place() {
        let list = ["SH".to_owned(), String::new()];
        assert_eq!(ids("warehouses", &list), Err(missing("warehouses[1]")));
        let twice = ["SH".to_owned(), "SH".to_owned()];
        let repeated = Refusal::LineRepeated { field: "warehouses".to_owned(), value: "SH".to_owned() };
        assert_eq!(ids("warehouses", &twice), Err(repeated));
    }
}
