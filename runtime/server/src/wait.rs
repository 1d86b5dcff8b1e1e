//! How long a request wants to wait for the end of its run: `?wait=DURATION` is an order, `Prefer: wait=SECONDS` (RFC 7240) a
//! wish.
//!
//! An order that can not be carried out is refused, and nothing is started. A wish is met as far as it goes, and the answer's
//! `Preference-Applied` says how far; one that can not be read is passed over, as the RFC wants it.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Uri},
    response::Response,
};
use tokio::sync::watch;
use trackside_spec::Duration as Written;

use crate::{error::ApiError, places::Place};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Nobody waits longer: what stands between may not keep a silent connection for longer either.
const LONGEST: Duration = Duration::from_secs(60);

/// A wait that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    time: Duration,
    /// It is a wish: the answer says that it was heard.
    is_wish: bool,
}

impl Wait {
    /// What a request asks for. The order counts where it has both.
    pub(crate) fn asked(uri: &Uri, headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut orders = pairs(uri).filter_map(|(name, value)| (name == "wait").then_some(value));
        let Some(order) = orders.next() else {
            return Ok(preferred(headers).map(|time| Self { time, is_wish: true }));
        };
        if orders.next().is_some() {
            return Err(ApiError::bad_request("`wait` is given twice"));
        }
        let time: Written =
            order.parse().map_err(|error| ApiError::bad_request(format!("`wait` can not be read: {error}")))?;
        if time.to_std() > LONGEST {
            let longest = LONGEST.as_secs();
            return Err(ApiError::bad_request(format!(
                "`wait` may be {longest}s at most, and {time} was asked for; what takes longer goes on, and can be asked for again"
            )));
        }
        Ok(Some(Self { time: time.to_std(), is_wish: false }))
    }

    /// Makes the connection one of those that wait. A wish may remain one where there is no place left; an order is refused then,
    /// before anything is started.
    pub(crate) fn take_place(wait: Option<Self>, place: &Place) -> Result<Option<Self>, ApiError> {
        match wait {
            Some(wait) if !place.wait() => {
                if wait.is_wish {
                    Ok(None)
                } else {
                    Err(ApiError::too_many_wait())
                }
            }
            wait => Ok(wait),
        }
    }

    /// Until its time is over, or the server goes down.
    pub(crate) async fn over(self, mut closing: watch::Receiver<bool>) {
        tokio::select! {
            () = tokio::time::sleep(self.time) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    /// Says in an answer that a wish was met, and how far.
    pub(crate) fn mark(wait: Option<Self>, response: &mut Response) {
        if let Some(Self { time, is_wish: true }) = wait
            && let Ok(applied) = HeaderValue::try_from(format!("wait={}", time.as_secs()))
        {
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        }
    }
}

/// Refuses what the API does not know in an address: a misspelt `wait` would wait for nothing.
pub(crate) fn only_wait(uri: &Uri) -> Result<(), ApiError> {
    match pairs(uri).find(|(name, _)| *name != "wait") {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(40).collect();
            Err(ApiError::bad_request(format!("the address has {name:?} behind its `?`; only `wait` is known there")))
        }
    }
}

fn pairs(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    let query = uri.query().unwrap_or_default();
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The first `wait` among the preferences. Whatever else there is, and one that is no number, is passed over.
fn preferred(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let wait = values.flat_map(preferences).find_map(|preference| {
        // Parameters of a preference follow its value.
        let named = preference.split(';').next().unwrap_or_default();
        let (name, value) = named.split_once('=').unwrap_or((named, ""));
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim())
    })?;
    let digits = wait.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(wait);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // More than fits is more than anybody waits.
    Some(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)).min(LONGEST))
}

/// The preferences of one header: at its commas, but for those in quotes.
fn preferences(value: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' => return !is_quoted,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &str, prefer: &[&str]) -> Result<Option<Wait>, ApiError> {
        let mut headers = HeaderMap::new();
        for value in prefer {
            headers.append(PREFER, HeaderValue::from_str(value).unwrap());
        }
        Wait::asked(&address.parse().unwrap(), &headers)
    }

    #[test]
    fn an_order_is_a_duration_of_a_minute_at_most() {
        for (address, ms) in [("/?wait=250ms", 250), ("/?wait=0s", 0), ("/?a=b&wait=1m&c", 60_000)] {
            let wait = Wait { time: Duration::from_millis(ms), is_wish: false };
            assert_eq!(asked(address, &["wait=7"]).unwrap(), Some(wait), "{address}");
        }
        for bad in [
            "wait",
            "wait=",
            "wait=5",
            "wait=-1s",
            "wait=1.5s",
            "wait=61s",
            "wait=100y",
            "wait=1s&wait=1s",
            "wait=%31s",
        ] {
            let error = asked(&format!("/?{bad}"), &[]).unwrap_err();
            assert!(error.code == "TS-0710" && error.message.contains("`wait`"), "{bad}: {}", error.message);
        }
        assert_eq!(asked("/?await=1s", &[]).unwrap(), None);
    }

    #[test]
    fn a_wish_is_read_as_the_rfc_writes_it() {
        let read: [(&[&str], Option<u64>); 17] = [
            (&["wait=5"], Some(5)),
            (&["Wait = \"5\""], Some(5)),
            (&["respond-async, wait=10"], Some(10)),
            (&["respond-async", "wait=10;unit=s"], Some(10)),
            (&["foo; bar=\"a, wait=1\", wait=20"], Some(20)),
            (&["foo=\"\\\", wait=1\", wait=20"], Some(20)),
            (&["wait=1, wait=2"], Some(1)),
            (&["wait=600"], Some(60)),
            (&["wait=99999999999999999999999"], Some(60)),
            (&["wait=0"], Some(0)),
            (&["wait=-1"], None),
            (&["wait=1s"], None),
            (&["wait=abc, wait=5"], None),
            (&["wait"], None),
            (&["wait="], None),
            (&["respond-async"], None),
            (&[], None),
        ];
        for (prefer, seconds) in read {
            let wait = seconds.map(|seconds| Wait { time: Duration::from_secs(seconds), is_wish: true });
            assert_eq!(asked("/", prefer).unwrap(), wait, "{prefer:?}");
        }
    }

    #[test]
    fn what_is_not_known_in_an_address_is_refused() {
        for good in ["/v1/runs", "/v1/runs?", "/v1/runs?wait=1s"] {
            only_wait(&good.parse().unwrap()).unwrap();
        }
        let error = only_wait(&"/v1/runs?wiat=1s".parse().unwrap()).unwrap_err();
        assert!(error.message.contains("wiat"), "{}", error.message);
    }
}
