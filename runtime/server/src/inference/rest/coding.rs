//! Content-Encoding: gzip and deflate, both ways.

use std::{
    fmt::Display,
    io::{self, Read, Write},
};

use flate2::{
    Compression,
    bufread::{MultiGzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};
use hyper::{
    HeaderMap,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue},
};

use super::super::failure::Failure;

/// Answers below are sent as they are: compressing them takes longer than sending them.
const WORTH_IT: usize = 1024;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// That of a request; `None` for none.
    ///
    /// # Errors
    /// TS-0754 for one that is not read, and for several.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        let value = value.to_str().unwrap_or("?").trim();
        if headers.get_all(CONTENT_ENCODING).iter().count() > 1 {
            return Err(Failure::unknown_encoding("several"));
        }
        match value.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            _ => Err(Failure::unknown_encoding(value)),
        }
    }

    /// What the client would like, of what we have.
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let (mut gzip, mut deflate) = (false, false);
        for one in values.flat_map(|value| value.split(',')) {
            let (name, rest) = one.split_once(';').unwrap_or((one, ""));
            let weight = rest.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
            let is_wanted = weight.is_none_or(|weight| weight > 0.0);
            match name.trim() {
                "gzip" | "x-gzip" | "*" => gzip = is_wanted,
                "deflate" => deflate = is_wanted,
                _ => {}
            }
        }
        if gzip { Some(Self::Gzip) } else { deflate.then_some(Self::Deflate) }
    }

    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }

    /// What a body holds, if that is not more than `limit`. `room` is asked before more is kept.
    ///
    /// # Errors
    /// TS-0750 for what is not compressed so, TS-0753 for what is too large, and what `room` says.
    pub(crate) fn unpack(
        self,
        body: &[u8],
        limit: usize,
        room: &mut impl FnMut(usize) -> Result<(), Failure>,
    ) -> Result<Vec<u8>, Failure> {
        match self {
            // One member after the other, to the last byte: what is no member is refused.
            Self::Gzip => unpack(&mut MultiGzDecoder::new(body), limit, room),
            Self::Deflate => {
                let mut from = ZlibDecoder::new(body);
                let whole = unpack(&mut from, limit, room)?;
                match from.into_inner().len() {
                    0 => Ok(whole),
                    left => Err(faulty(format!("{left} bytes are left behind its end"))),
                }
            }
        }
    }

    /// Compresses an answer, if that is worth it.
    pub(crate) fn pack(self, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() < WORTH_IT {
            return None;
        }
        let into = Vec::with_capacity(body.len() / 2);
        let packed: io::Result<Vec<u8>> = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(into, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(into, Compression::fast());
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        // Into memory it can not fail; if it did, the body goes as it is.
        packed.ok()
    }
}

fn faulty(why: impl Display) -> Failure {
    Failure::invalid(format!("the body is not compressed as its Content-Encoding says: {why}"))
}

fn unpack(
    from: &mut impl Read,
    limit: usize,
    room: &mut impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Vec<u8>, Failure> {
    let (mut whole, mut piece) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let read = from.read(&mut piece).map_err(faulty)?;
        if read == 0 {
            return Ok(whole);
        }
        if read > limit - whole.len() {
            return Err(Failure::too_large("what the body holds uncompressed", limit));
        }
        room(read)?;
        whole.extend_from_slice(&piece[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn what_was_packed_comes_back_and_not_more_than_the_limit() {
        let body = vec![b'a'; 100_000];
        for coding in [Coding::Gzip, Coding::Deflate] {
            let packed = coding.pack(&body).unwrap();
            assert!(packed.len() < 2000);
            assert_eq!(coding.unpack(&packed, 100_000, &mut |_| Ok(())).unwrap(), body);
            let mut kept = 0;
            let refused = coding.unpack(&packed, 99_999, &mut |more| {
                kept += more;
                Ok(())
            });
            assert_eq!(refused.unwrap_err().status(), 413);
            assert!(kept < 100_000);
            for bad in [&packed[..packed.len() / 2], b"no such thing", b""] {
                assert_eq!(coding.unpack(bad, 100_000, &mut |_| Ok(())).unwrap_err().status(), 400);
            }
            assert_eq!(coding.pack(b"short"), None);
        }
    }

    #[test]
    fn members_follow_one_another_and_nothing_else_follows_them() {
        let halves = [vec![b'a'; 2000], vec![b'b'; 2000]];
        let packed = halves.each_ref().map(|half| Coding::Gzip.pack(half).unwrap());
        let both = packed.concat();
        assert_eq!(Coding::Gzip.unpack(&both, 4000, &mut |_| Ok(())).unwrap(), halves.concat());
        // The limit is that of all together.
        assert_eq!(Coding::Gzip.unpack(&both, 3999, &mut |_| Ok(())).unwrap_err().status(), 413);
        let deflated = Coding::Deflate.pack(&halves[0]).unwrap();
        for (coding, good) in [(Coding::Gzip, &both), (Coding::Deflate, &deflated)] {
            for junk in [&b"junk"[..], b"\0", b"\x1f\x8b", &both[..both.len() / 2 + 5], &deflated] {
                let refused = coding.unpack(&[good, junk].concat(), 1 << 20, &mut |_| Ok(())).unwrap_err();
                assert_eq!(refused.status(), 400, "{coding:?} {}", junk.len());
            }
        }
    }

    #[test]
    fn an_encoding_that_is_not_known_is_refused() {
        for (value, coding) in [("gzip", Some(Coding::Gzip)), ("Deflate", Some(Coding::Deflate)), ("identity", None)] {
            assert_eq!(Coding::of_request(&headers(CONTENT_ENCODING, value)).unwrap(), coding);
        }
        for value in ["br", "gzip, gzip"] {
            assert_eq!(Coding::of_request(&headers(CONTENT_ENCODING, value)).unwrap_err().status(), 415);
        }
        assert_eq!(Coding::of_request(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn answers_are_packed_as_the_client_can_read_them() {
        for (value, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("deflate", Some(Coding::Deflate)),
            ("gzip, deflate, br", Some(Coding::Gzip)),
            ("gzip;q=0, deflate;q=0.5", Some(Coding::Deflate)),
            ("identity", None),
            ("br", None),
        ] {
            assert_eq!(Coding::wanted(&headers(ACCEPT_ENCODING, value)), coding, "{value}");
        }
    }
}
