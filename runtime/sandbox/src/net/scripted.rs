//! Answers of a host that plays the world outside, as the test kit does.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Response,
    body::Body,
    header::{HeaderName, HeaderValue},
    http::request,
};

use trackside_codes::{Class, Reason};

use super::{body::ResponseBody, egress::Trouble, headers};
use crate::host_api::{HttpRequest, HttpResponse, StepHost};

/// Asks the host instead of the network.
pub(crate) async fn answer<B>(
    host: &dyn StepHost,
    head: &request::Parts,
    url: String,
    body: B,
) -> Result<Response<ResponseBody>, Trouble>
where
    B: Body<Data = Bytes, Error = io::Error>,
{
    let body = body.collect().await.map_err(|error| Trouble::Protocol(Reason::by(Class::Unavailable, error)))?;
    let request = HttpRequest {
        method: head.method.as_str().to_owned(),
        url,
        headers: headers::incoming(&head.headers),
        body: body.to_bytes().to_vec(),
    };
    let answer = host.http(request).map_err(Trouble::Connect)?;
    response(answer).map_err(|what| Trouble::Protocol(format!("{what} is nothing that HTTP can carry").into()))
}

fn response(answer: HttpResponse) -> Result<Response<ResponseBody>, String> {
    let body = Full::new(Bytes::from(answer.body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = answer.status.try_into().map_err(|_| format!("the status {}", answer.status))?;
    for (name, value) in answer.headers {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("the header `{name}`"))?;
        let value = HeaderValue::from_str(&value).map_err(|_| format!("the value of the header `{name}`"))?;
        response.headers_mut().append(key, value);
    }
    Ok(response)
}
