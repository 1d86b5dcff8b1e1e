//! A grant and a request: what is granted lies below the grant, as another reader of URLs sees it.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use trackside_sandbox::fuzzing;
use url::Url;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let Some((grant, url)) = text.split_once('\n') else { return Corpus::Reject };
    if fuzzing::is_granted(grant, url) != Some(true) {
        return Corpus::Keep;
    }
    let (grant, url) = (Url::parse(grant).expect("a grant is a URL"), Url::parse(url).expect("a target is a URL"));
    assert_eq!(grant.scheme(), url.scheme());
    assert_eq!(host(&grant), host(&url));
    assert_eq!(grant.port_or_known_default(), url.port_or_known_default());
    let prefix = grant.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(prefix).unwrap_or_else(|| panic!("{url} is not below {grant}"));
    assert!(rest.is_empty() || rest.starts_with('/'), "{url} is not below {grant}");
    Corpus::Keep
});

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_end_matches('.').to_owned()
}
