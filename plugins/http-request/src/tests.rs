//! The plugin as a whole, on the in-memory host.

use std::time::Duration;

use serde_json::json;
use trackside_sdk::{
    HttpError,
    testing::{HttpResponse, TestHost, description_problems},
};

use super::Plugin;

fn server(status: u16, headers: &[(&str, &str)], body: &str) -> TestHost {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let response = HttpResponse { status, headers, body: body.into() };
    TestHost::new().with_http(move |_, _| Ok(response.clone()))
}

#[test]
fn it_is_well_described() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn a_json_body_goes_out_and_a_json_body_comes_in() {
    let mut host = server(200, &[("Content-Type", "application/json; charset=utf-8")], r#"{"ok": true}"#);
    let done = host.run::<Plugin>(json!({"url": "https://a.example/x", "method": "post", "body": {"a": 1}})).unwrap();
    assert_eq!(done.output()["json"], json!({"ok": true}));
    assert_eq!(done.output()["status"], 200);
    let (request, body) = &done.requests[0];
    assert_eq!((request.method.as_str(), body.as_slice()), ("POST", &br#"{"a":1}"#[..]));
    assert_eq!(request.headers, [("content-type".to_owned(), "application/json".to_owned())]);
}

#[test]
fn json_that_would_lose_something_is_refused() {
    let answered = |body| {
        server(200, &[("content-type", "application/json")], body).run::<Plugin>(json!({"url": "https://a.example"}))
    };
    for (body, says) in [
        (r#"{"id": 18446744073709551616}"#, "18446744073709551616 is a whole number beyond 64 bits"),
        (r#"{"id": 1, "id": 2}"#, "the name \"id\" stands twice in one object"),
    ] {
        let error = answered(body).unwrap_err();
        assert_eq!(error.code(), "bad-json");
        assert!(error.message().contains(says) && error.message().contains("save: true"), "{}", error.message());
    }
    assert_eq!(answered(r#"{"id": 18446744073709551615}"#).unwrap().output()["json"], json!({"id": u64::MAX}));
}

#[test]
fn an_artifact_goes_out_with_its_media_type() {
    let mut host = server(204, &[], "").artifact("file", "a.csv", "text/csv", "1,2");
    let done = host.run::<Plugin>(json!({"url": "https://a.example", "method": "PUT"})).unwrap();
    assert_eq!(done.requests[0].1, b"1,2");
    assert_eq!(done.requests[0].0.headers[0].1, "text/csv");
    assert_eq!(done.output(), &json!({"status": 204, "headers": {}, "bytes": 0}));
}

#[test]
fn a_large_body_is_saved_or_refused() {
    let body = "x".repeat(100_000);
    let error = server(200, &[], &body).run::<Plugin>(json!({"url": "https://a.example"})).unwrap_err();
    assert_eq!(error.code(), "too-large");
    let done = server(200, &[], &body).run::<Plugin>(json!({"url": "https://a.example", "save": true})).unwrap();
    assert_eq!(done.artifact("saved").unwrap().bytes.len(), 100_000);
    assert_eq!(done.output()["bytes"], 100_000);
}

#[test]
fn a_busy_server_is_retried_when_it_says() {
    let error =
        server(429, &[("Retry-After", "7")], "slow\ndown").run::<Plugin>(json!({"url": "https://a.example/x?key=1"}));
    let error = error.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.code(), "http-429");
    assert_eq!(error.wait(), Some(Duration::from_secs(7)));
    assert_eq!(error.message(), "GET https://a.example/x: the server answered 429: slow down");
}

#[test]
fn statuses_are_judged_as_asked() {
    let error = server(404, &[], "").run::<Plugin>(json!({"url": "https://a.example"})).unwrap_err();
    assert!(!error.is_retryable());
    let ok = server(404, &[], "").run::<Plugin>(json!({"url": "https://a.example", "expect": [200, 404]}));
    assert_eq!(ok.unwrap().output()["status"], 404);
    let error = server(200, &[], "").run::<Plugin>(json!({"url": "https://a.example", "expect": [201]})).unwrap_err();
    assert_eq!(error.code(), "http-200");
}

#[test]
fn a_dead_network_is_retried_and_a_missing_grant_is_not() {
    let dead = || TestHost::new().with_http(|_, _| Err(HttpError::Connect("refused".into())));
    assert!(dead().run::<Plugin>(json!({"url": "https://a.example"})).unwrap_err().is_retryable());
    let error = TestHost::new().run::<Plugin>(json!({"url": "https://a.example"})).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("denied", false));
}

#[test]
fn secrets_stand_in_headers_as_placeholders() {
    let mut host = server(204, &[], "").with_secret("hook", b"s3cr3t");
    let input = json!({
        "url": "https://a.example",
        "headers": {"authorization": "Bearer {{secret:hook}}", "x-two": "{{secret:hook}} {{ secret:hook }} {{secret: hook }}."},
    });
    let done = host.run::<Plugin>(input).unwrap();
    let header = |name: &str| {
        let headers = &done.requests[0].0.headers;
        headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(header("authorization"), "Bearer secret-placeholder-hook");
    assert_eq!(header("x-two"), "secret-placeholder-hook {{ secret:hook }} secret-placeholder-hook.");
    for (value, code) in [("{{secret:other}}", "denied"), ("{{secret:hook", "bad-input")] {
        let error = host.run::<Plugin>(json!({"url": "https://a.example", "headers": {"x": value}})).unwrap_err();
        assert_eq!(error.code(), code, "{value}");
    }
}
