//! Files of variables, as compose reads them: in single quotes a value stands as it is
//! (<https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax>).

use crate::error::Failure;

/// One variable a line.
///
/// # Errors
/// When a value cannot stand in single quotes: only before a quote a backslash is more than itself.
pub fn text(values: &[(&str, impl AsRef<str>)]) -> Result<String, Failure> {
    let mut text = String::new();
    for (name, value) in values {
        let value = value.as_ref();
        if value.ends_with('\\') || value.contains("\\'") || value.contains('\0') {
            return Err(Failure::usage(format!(
                "the value of {name} has a backslash at its end or before a quote, which compose cannot read back"
            ))
            .hint("give it another value; nothing was written"));
        }
        text.push_str(&format!("{name}='{}'\n", value.replace('\'', "\\'")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_single_quotes() {
        let values = [("A", ""), ("B", "it's $HOME"), ("C", "a\\nb \"c\" #d\ne")];
        assert_eq!(
            text(&values).unwrap(),
            "A=''\nB='it\\'s $HOME'\nC='a\\nb \"c\" #d\ne'\n"
        );
        for value in ["a\\", "a\\'b"] {
            assert!(text(&[("A", value)]).is_err(), "{value}");
        }
    }
}
