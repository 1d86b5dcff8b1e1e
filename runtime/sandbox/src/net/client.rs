//! One HTTP/1.1 exchange over a connection of its own. No redirects, no proxies, no decompression.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request, Response, Uri,
    body::{Body, Incoming},
    client::conn::http1,
    header,
    http::request,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};

use super::{headers, resolver::Resolve, tls::Tls};
use crate::grants::{
    address::{Reach, reach},
    origin::Target,
};

/// The longest that one address is waited for.
const CONNECT: Duration = Duration::from_secs(10);

/// Why an exchange failed before there was a response.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The name leads to addresses that may not be called.
    Private(IpAddr),
    /// Every address is one that no step may call.
    Never(IpAddr),
    /// A secret would cross the internet in the open.
    Exposed {
        secret: String,
        address: IpAddr,
    },
    Dns(String),
    Connect(String),
    Tls(String),
    Protocol(String),
}

/// A connection's own task, ended with this value.
pub(crate) struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Addresses of `target` that may be called.
///
/// `own` tells the node's own addresses. Every request resolves anew and connects to what it has checked, so a name
/// whose answer changes between check and use gains nothing.
pub(crate) async fn resolve(
    resolver: &dyn Resolve,
    target: &Target,
    private: bool,
    own: impl Fn(SocketAddr) -> bool,
) -> Result<Vec<SocketAddr>, Failure> {
    let found = resolver.lookup(target.host(), target.port()).await;
    let found = found.map_err(|error| Failure::Dns(format!("failed to look up `{}`: {error}", target.host())))?;
    permitted(target.host(), &found, private, own)
}

/// The addresses among `found` that may be called.
fn permitted(
    host: &str,
    found: &[SocketAddr],
    private: bool,
    own: impl Fn(SocketAddr) -> bool,
) -> Result<Vec<SocketAddr>, Failure> {
    let mut refused = None;
    let mut open = Vec::new();
    for address in found {
        let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
        match reach(address.ip()) {
            _ if own(canonical) => refused = refused.or(Some(Failure::Never(canonical.ip()))),
            Reach::Public => open.push(*address),
            Reach::Private if private => open.push(*address),
            // The reason that a grant can mend is told before one that none can.
            Reach::Private => refused = Some(Failure::Private(canonical.ip())),
            Reach::Never => refused = refused.or(Some(Failure::Never(canonical.ip()))),
        }
    }
    match (open.is_empty(), refused) {
        (false, _) => Ok(open),
        (true, Some(refused)) => Err(refused),
        (true, None) => Err(Failure::Dns(format!("`{host}` has no address"))),
    }
}

/// Sends a request and waits for the head of the response, which has at most `header_bytes`.
pub(crate) async fn exchange<B>(
    target: &Target,
    addresses: &[SocketAddr],
    tls: &Tls,
    (mut head, body): (request::Parts, B),
    header_bytes: usize,
) -> Result<(Response<Incoming>, Connection), Failure>
where
    B: Body<Data = Bytes, Error = io::Error> + Send + 'static,
{
    head.uri = target.path.parse::<Uri>().map_err(|error| Failure::Protocol(error.to_string()))?;
    let host = target.authority().parse().map_err(|_| Failure::Protocol("the host is no header value".to_owned()))?;
    head.headers.insert(header::HOST, host);
    let request = Request::from_parts(head, Box::pin(body));
    let stream = connect(addresses).await.map_err(|error| Failure::Connect(format!("{}: {error}", target.origin())))?;
    if target.tls() {
        let secured = tls.connect(target.host(), stream).await;
        let stream = secured.map_err(|error| Failure::Tls(format!("{}: {error}", target.origin())))?;
        talk(stream, request, header_bytes).await
    } else {
        talk(stream, request, header_bytes).await
    }
}

/// Connects to the first address that answers.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no address to connect to");
    for address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer to the connection request"),
        }
    }
    Err(last)
}

async fn talk<S, B>(
    stream: S,
    request: Request<Pin<Box<B>>>,
    header_bytes: usize,
) -> Result<(Response<Incoming>, Connection), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data = Bytes, Error = io::Error> + Send + 'static,
{
    let protocol = |error: hyper::Error| {
        // hyper's own words are short; the cause behind them says what happened.
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::Protocol(format!("{error}{cause}"))
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(header_bytes)
        .max_headers(headers::COUNT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    let connection = Connection(tokio::spawn(async move {
        // What goes wrong here reaches the reader of the response too.
        if let Err(error) = connection.await {
            tracing::debug!("connection of a step ended: {error}");
        }
    }));
    let response = sender.send_request(request).await.map_err(protocol)?;
    Ok((response, connection))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::host_api::BoxFuture;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn nobody(_: SocketAddr) -> bool {
        false
    }

    /// Answers with the next list every time.
    #[derive(Debug)]
    struct Liar(Mutex<Vec<Vec<SocketAddr>>>);

    impl Resolve for Liar {
        fn lookup<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
            Box::pin(std::future::ready(Ok(self.0.lock().unwrap().remove(0))))
        }
    }

    #[tokio::test]
    async fn a_name_that_changes_its_address_is_checked_at_every_request() {
        let answers = [addresses(&["93.184.216.34:80"]), addresses(&["127.0.0.1:80"])];
        let liar = Liar(Mutex::new(answers.to_vec()));
        let target = Target::parse("http://rebind.example/").unwrap();
        assert_eq!(resolve(&liar, &target, false, nobody).await.unwrap(), answers[0]);
        let second = resolve(&liar, &target, false, nobody).await;
        assert!(matches!(second, Err(Failure::Private(_))), "{second:?}");
        // Each request asks once: there is no second answer between the check and the connection.
        assert!(liar.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_public_name_that_leads_inside_is_refused() {
        for inside in ["127.0.0.1:80", "169.254.169.254:80", "[::1]:80", "[::ffff:10.0.0.1]:80", "[64:ff9b::7f00:1]:80"]
        {
            let result = permitted("rebind.example", &addresses(&[inside]), false, nobody);
            assert!(matches!(result, Err(Failure::Private(_))), "{inside}");
            assert!(permitted("rebind.example", &addresses(&[inside]), true, nobody).is_ok(), "{inside}");
        }
    }

    #[test]
    fn of_mixed_answers_only_the_permitted_are_called() {
        let mixed = addresses(&["127.0.0.1:80", "93.184.216.34:80", "0.0.0.0:80"]);
        let open = permitted("mixed.example", &mixed, false, nobody).unwrap();
        assert_eq!(open, addresses(&["93.184.216.34:80"]));
    }

    #[test]
    fn the_nodes_own_address_is_refused_whatever_is_granted() {
        let own = |address: SocketAddr| address == "127.0.0.1:7878".parse().unwrap();
        for dress in ["127.0.0.1:7878", "[::ffff:127.0.0.1]:7878"] {
            let result = permitted("localhost", &addresses(&[dress]), true, own);
            assert!(matches!(result, Err(Failure::Never(_))), "{dress}");
        }
        assert!(permitted("localhost", &addresses(&["127.0.0.1:9"]), true, own).is_ok());
    }
}
