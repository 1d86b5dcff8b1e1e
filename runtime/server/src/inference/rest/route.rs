//! Addresses of the protocol's REST form.

use std::borrow::Cow;

use hyper::Method;
use percent_encoding::percent_decode_str;
use trackside_spec::Right;

use super::super::{backend::Wanted, failure::Failure};

/// What is at an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Live,
    Ready,
    Server,
    Models,
    Statistics(Option<Wanted>),
    ModelReady(Wanted),
    Metadata(Wanted),
    Config(Wanted),
    Infer(Wanted),
    Index,
    Load(Wanted),
    Unload(Wanted),
    /// What would have been right. Not below `/v2`, where the protocol and its extensions have all names.
    Labels,
    /// A part of the protocol's extensions that is not served.
    NotServed(&'static str),
}

impl Route {
    /// How it is asked.
    const fn method(&self) -> &'static str {
        match self {
            Self::Infer(_) | Self::Index | Self::Load(_) | Self::Unload(_) | Self::Labels => "POST",
            Self::NotServed(_) => "GET, POST",
            _ => "GET",
        }
    }

    /// Which right it needs.
    pub(crate) const fn right(&self) -> Right {
        match self {
            Self::Load(_) | Self::Unload(_) => Right::Operate,
            _ => Right::Infer,
        }
    }

    /// What is at this address for this method.
    ///
    /// # Errors
    /// TS-0751 when there is nothing, or nothing for this method.
    pub(crate) fn find(method: &Method, path: &str) -> Result<Self, Failure> {
        let route = at(path).ok_or_else(|| Failure::no_such_page(method.as_str(), path))?;
        let fits = match route.method() {
            "GET" => method == Method::GET || method == Method::HEAD,
            "POST" => method == Method::POST,
            _ => true,
        };
        if fits { Ok(route) } else { Err(Failure::wrong_method(method.as_str(), path, route.method())) }
    }
}

fn at(path: &str) -> Option<Route> {
    if path == "/v1/labels" {
        return Some(Route::Labels);
    }
    let rest = path.strip_prefix("/v2")?;
    let mut parts = Parts { rest: rest.strip_suffix('/').unwrap_or(rest) };
    let route = match parts.next()? {
        Some("models") => models(&mut parts)?,
        Some("health") => match parts.next()?? {
            "live" => Route::Live,
            "ready" => Route::Ready,
            _ => return None,
        },
        None => Route::Server,
        Some("repository") => repository(&mut parts)?,
        Some("systemsharedmemory" | "cudasharedmemory") => {
            return Some(Route::NotServed("shared memory is not served; send tensors in the request"));
        }
        Some("trace" | "logging") => return Some(Route::NotServed("the settings of traces and logs are not served")),
        Some(_) => return None,
    };
    parts.is_done().then_some(route)
}

fn models(parts: &mut Parts<'_>) -> Option<Route> {
    let Some(name) = parts.next()? else { return Some(Route::Models) };
    if name == "stats" && parts.is_done() {
        return Some(Route::Statistics(None));
    }
    let mut wanted = Wanted { name: decoded(name)?, version: None };
    let mut page = parts.next()?;
    if page == Some("versions") {
        wanted.version = Some(decoded(parts.next()??)?);
        page = parts.next()?;
    }
    Some(match page {
        Some("infer") => Route::Infer(wanted),
        None => Route::Metadata(wanted),
        Some("ready") => Route::ModelReady(wanted),
        Some("config") => Route::Config(wanted),
        Some("stats") => Route::Statistics(Some(wanted)),
        Some("generate" | "generate_stream") => Route::NotServed("generate is not served; POST to infer"),
        Some("trace") => {
            parts.next()?;
            Route::NotServed("the settings of traces and logs are not served")
        }
        Some(_) => return None,
    })
}

/// `index`, `models/NAME[/versions/V]/load`, and the same behind a repository's name, of which there is one.
fn repository(parts: &mut Parts<'_>) -> Option<Route> {
    let mut part = parts.next()??;
    if !matches!(part, "index" | "models") {
        part = parts.next()??;
    }
    match part {
        "index" => Some(Route::Index),
        "models" => {
            let mut wanted = Wanted { name: decoded(parts.next()??)?, version: None };
            let mut what = parts.next()??;
            if what == "versions" {
                wanted.version = Some(decoded(parts.next()??)?);
                what = parts.next()??;
            }
            match what {
                "load" => Some(Route::Load(wanted)),
                "unload" => Some(Route::Unload(wanted)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What stands between the slashes.
struct Parts<'a> {
    rest: &'a str,
}

impl<'a> Parts<'a> {
    /// The next part; `Some(None)` behind the last, `None` where a part is empty.
    #[expect(clippy::option_option, reason = "an end and an address that is none are two things")]
    fn next(&mut self) -> Option<Option<&'a str>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let rest = self.rest.strip_prefix('/')?;
        let (part, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        self.rest = rest;
        (!part.is_empty()).then_some(Some(part))
    }

    const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, version: Option<&str>) -> Wanted {
        Wanted { name: name.to_owned(), version: version.map(str::to_owned) }
    }

    #[test]
    fn every_address_of_the_protocol_is_known() {
        for (method, path, route) in [
            ("GET", "/v2", Route::Server),
            ("GET", "/v2/", Route::Server),
            ("GET", "/v2/health/live", Route::Live),
            ("HEAD", "/v2/health/ready", Route::Ready),
            ("GET", "/v2/models", Route::Models),
            ("GET", "/v2/models/stats", Route::Statistics(None)),
            ("GET", "/v2/models/stats/versions/1", Route::Metadata(wanted("stats", Some("1")))),
            ("GET", "/v2/models/m", Route::Metadata(wanted("m", None))),
            (
                "GET",
                "/v2/models/a%2Fb%40c/versions/champion/ready",
                Route::ModelReady(wanted("a/b@c", Some("champion"))),
            ),
            ("GET", "/v2/models/m@x/config", Route::Config(wanted("m@x", None))),
            ("GET", "/v2/models/m/versions/2/stats", Route::Statistics(Some(wanted("m", Some("2"))))),
            ("POST", "/v2/models/m/infer", Route::Infer(wanted("m", None))),
            ("POST", "/v2/models/m/versions/2/infer", Route::Infer(wanted("m", Some("2")))),
            ("POST", "/v1/labels", Route::Labels),
            ("POST", "/v2/repository/index", Route::Index),
            ("POST", "/v2/repository/any/index", Route::Index),
            ("POST", "/v2/repository/models/m/load", Route::Load(wanted("m", None))),
            ("POST", "/v2/repository/any/models/m/versions/3/unload", Route::Unload(wanted("m", Some("3")))),
        ] {
            let method: Method = method.parse().unwrap();
            assert_eq!(Route::find(&method, path).unwrap(), route, "{method} {path}");
        }
        for path in [
            "/v2/systemsharedmemory/status",
            "/v2/cudasharedmemory/region/x/register",
            "/v2/logging",
            "/v2/models/m/trace/setting",
            "/v2/trace/setting",
            "/v2/models/m/generate",
        ] {
            assert!(matches!(Route::find(&Method::POST, path), Ok(Route::NotServed(_))), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_apart_from_what_is_asked_wrongly() {
        for path in [
            "/",
            "/v1/models",
            "/v2//models",
            "/v2/health",
            "/v2/health/",
            "/v2/models/m/versions",
            "/v2x",
            "/v2/models/m/x",
            "/v2/models//infer",
            "/v2/models/m/infer/x",
            "/v2/repository/a/b/index",
            "/v2/models/%ff/infer",
            "/v2/repository",
        ] {
            assert_eq!(Route::find(&Method::GET, path).unwrap_err().status(), 404, "{path}");
        }
        let refused = Route::find(&Method::GET, "/v2/models/m/infer").unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.allow), (405, Some("POST")));
        assert_eq!(Route::find(&Method::PUT, "/v2").unwrap_err().allow, Some("GET"));
    }
}
