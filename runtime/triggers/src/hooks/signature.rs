//! Signatures of webhooks.
//!
//! Signatures are compared in constant time. What a request says beside a right signature is never part of an error's text
//! at full length, and the secret never is.

use std::time::Duration;
use trackside_codes::{Code, Coded, code};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// GitHub's header.
pub const GITHUB_HEADER: &str = "x-hub-signature-256";
/// Stripe's header.
pub const STRIPE_HEADER: &str = "stripe-signature";

/// A longer header is no signature.
const MAX_HEADER: usize = 4096;
/// Signatures in one header that are tried: while a secret is being replaced there are two.
const MAX_SIGNATURES: usize = 8;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is not signed.
    #[error(
        "{code}: the request has no {header} header: configure the sender with the webhook's secret",
        code = self.code()
    )]
    Missing {
        /// The header.
        header: &'static str,
    },
    /// The header cannot be read.
    #[error("{code}: the {header} header is not understood: {reason}", code = self.code())]
    Malformed {
        /// The header.
        header: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The signature belongs to another secret or another body.
    #[error(
        "{code}: the signature in {header} does not belong to this body: sender and node must have the same secret, and \
         nothing on the way may change the body",
        code = self.code()
    )]
    Mismatch {
        /// The header.
        header: &'static str,
    },
    /// A request that was right at another time.
    #[error(
        "{code}: the request was signed {seconds} s away from the node's clock, allowed are {tolerance} s: it may be a \
         replay, or one of the two clocks is wrong",
        code = self.code()
    )]
    Stale {
        /// How far.
        seconds: u64,
        /// How far it may be.
        tolerance: u64,
    },
}

impl Coded for SignatureError {
    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => code!("TS-0430"),
            Self::Malformed { .. } => code!("TS-0431"),
            Self::Mismatch { .. } => code!("TS-0432"),
            Self::Stale { .. } => code!("TS-0433"),
        }
    }
}

/// Checks GitHub's `X-Hub-Signature-256: sha256=HEX`, HMAC-SHA-256 of the body.
///
/// # Errors
/// [`SignatureError`] unless `header` is the signature of `body`.
pub fn verify_github(secret: &[u8], header: Option<&str>, body: &[u8]) -> Result<(), SignatureError> {
    const HEADER: &str = GITHUB_HEADER;
    let text = present(HEADER, header)?;
    let malformed = |reason| SignatureError::Malformed { header: HEADER, reason };
    let digits = text.strip_prefix("sha256=").ok_or_else(|| malformed("it does not begin with sha256="))?;
    let signature = unhex(digits).ok_or_else(|| malformed("after sha256= stand 64 hexadecimal digits"))?;
    let mut mac = mac(secret)?;
    mac.update(body);
    mac.verify_slice(&signature).map_err(|_| SignatureError::Mismatch { header: HEADER })
}

/// Checks Stripe's `Stripe-Signature: t=SECONDS,v1=HEX`, HMAC-SHA-256 of time, a dot and the body; one right `v1` is
/// enough. The time may be `tolerance` away from `now_s` (seconds since 1970) in either direction.
///
/// # Errors
/// [`SignatureError`] unless `header` has a signature of `body` of about now.
pub fn verify_stripe(
    secret: &[u8],
    header: Option<&str>,
    body: &[u8],
    now_s: i64,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    const HEADER: &str = STRIPE_HEADER;
    let text = present(HEADER, header)?;
    let malformed = |reason| SignatureError::Malformed { header: HEADER, reason };
    let (mut time, mut signatures) = (None, Vec::new());
    for part in text.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) if time.is_some_and(|earlier| earlier != value) => {
                return Err(malformed("it has two times"));
            }
            Some(("t", value)) => time = Some(value),
            Some(("v1", value)) if signatures.len() < MAX_SIGNATURES => {
                signatures.push(unhex(value).ok_or_else(|| malformed("after v1= stand 64 hexadecimal digits"))?);
            }
            // Other schemes and what else there may be are not for us.
            _ => {}
        }
    }
    let time = time.ok_or_else(|| malformed("it has no time t="))?;
    let digits_only = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let signed_s: i64 =
        time.parse().ok().filter(|_| digits_only).ok_or_else(|| malformed("after t= stand seconds since 1970"))?;
    if signatures.is_empty() {
        return Err(malformed("it has no signature v1="));
    }
    let mut mac = mac(secret)?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    // All are compared, whichever is right.
    let right = signatures.iter().fold(false, |right, signature| right | mac.clone().verify_slice(signature).is_ok());
    if !right {
        return Err(SignatureError::Mismatch { header: HEADER });
    }
    // Only now: an unsigned time tells nothing.
    let (seconds, tolerance) = (now_s.abs_diff(signed_s), tolerance.as_secs());
    if seconds > tolerance {
        return Err(SignatureError::Stale { seconds, tolerance });
    }
    Ok(())
}

fn present<'h>(name: &'static str, header: Option<&'h str>) -> Result<&'h str, SignatureError> {
    let text = header.ok_or(SignatureError::Missing { header: name })?.trim();
    if text.len() > MAX_HEADER {
        return Err(SignatureError::Malformed { header: name, reason: "it is too long" });
    }
    Ok(text)
}

fn mac(secret: &[u8]) -> Result<Hmac<Sha256>, SignatureError> {
    // HMAC takes keys of any length.
    Hmac::new_from_slice(secret).map_err(|_| SignatureError::Malformed { header: "secret", reason: "it is no key" })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"Hello, World!";
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    /// The example in GitHub's own documentation.
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn code(result: Result<(), SignatureError>) -> String {
        result.map_or_else(|error| error.code().to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn githubs_own_example_is_right_and_every_change_is_wrong() {
        assert_eq!(verify_github(SECRET, Some(SIGNATURE), BODY), Ok(()));
        assert_eq!(verify_github(SECRET, Some(&SIGNATURE.replace('e', "E")), BODY), Ok(()));
        assert_eq!(code(verify_github(SECRET, Some(SIGNATURE), b"Hello, World?")), "TS-0432");
        assert_eq!(code(verify_github(b"another", Some(SIGNATURE), BODY)), "TS-0432");
        assert_eq!(code(verify_github(SECRET, Some(&SIGNATURE.replace("757", "758")), BODY)), "TS-0432");
        assert_eq!(code(verify_github(SECRET, None, BODY)), "TS-0430");
        let sha1 = "sha1=7571";
        for bad in ["", sha1, "sha256=", "sha256=zz", &SIGNATURE[..70], &format!("{SIGNATURE}00"), &"x".repeat(5000)] {
            assert_eq!(code(verify_github(SECRET, Some(bad), BODY)), "TS-0431", "{bad}");
        }
    }

    fn stripe(time: &str) -> String {
        let mut mac = mac(SECRET).unwrap();
        mac.update(format!("{time}.").as_bytes());
        mac.update(BODY);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn stripes_scheme_takes_any_right_signature_within_the_tolerance() {
        let tolerance = Duration::from_secs(300);
        let check = |header: &str, now| code(verify_stripe(SECRET, Some(header), BODY, now, tolerance));
        let right = stripe("1492774577");
        let header = format!("t=1492774577,v1={right},v0=ignored");
        assert_eq!(check(&header, 1_492_774_577), "ok");
        assert_eq!([check(&header, 1_492_774_877), check(&header, 1_492_774_878)], ["ok", "TS-0433"]);
        assert_eq!([check(&header, 1_492_774_277), check(&header, 1_492_774_276)], ["ok", "TS-0433"]);
        let wrong = "0".repeat(64);
        assert_eq!(check(&format!("t=1492774577,v1={wrong},v1={right}"), 1_492_774_577), "ok");
        assert_eq!(check(&format!("t=1492774577,v1={wrong}"), 1_492_774_577), "TS-0432");
        // The time is signed, too.
        assert_eq!(check(&format!("t=1492774578,v1={right}"), 1_492_774_577), "TS-0432");
        for bad in
            ["", "t=1492774577", &format!("v1={right}"), &format!("t=x,v1={right}"), "t=1,v1=00", "t=1,t=2,v1=00"]
        {
            assert_eq!(check(bad, 1_492_774_577), "TS-0431", "{bad}");
        }
        assert_eq!(check(&format!("t=99999999999999999999,v1={right}"), 1), "TS-0431");
        assert_eq!(code(verify_stripe(SECRET, None, BODY, 0, tolerance)), "TS-0430");
    }
}
