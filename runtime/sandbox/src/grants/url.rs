//! The URL of a step's request.

use trackside_codes::{Class, Reason};
use trackside_net::{Url, UrlError};

/// Reads a URL strictly.
pub(crate) fn parse(url: &str) -> Result<Url, Reason> {
    Url::parse(url).map_err(|error| match &error {
        UrlError::Malformed { reason } => {
            let shown = crate::recorder::one_line(&url.chars().take(200).collect::<String>());
            let words = format!("`{shown}` is not a URL that a step may call: {reason}");
            Reason::because(Class::BadInput, words, error)
        }
        _ => Reason::by(Class::BadInput, error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_told_on_one_line() {
        let refused = parse("https://a.example/\r\nx: y").unwrap_err().to_string();
        assert!(refused.starts_with("`https://a.example/\\r\\nx: y` is not a URL that a step may call: "), "{refused}");
        assert!(
            parse(&format!("https://a.example/{}", "x".repeat(9000)))
                .unwrap_err()
                .to_string()
                .contains("the limit is 8192")
        );
    }
}
