//! Which addresses a request may go to, and the request to them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    http::request,
};
use trackside_net::{Connection, Failure as NetFailure, Reach, Resolve, Tls, Url, reach};

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
    Exposed { secret: String, address: IpAddr },
    /// The network's part of it.
    Net(NetFailure),
}

/// Addresses of `target` that may be called.
///
/// `own` tells the node's own addresses. Every request resolves anew and connects to what it has checked, so a name
/// whose answer changes between check and use gains nothing.
pub(crate) async fn resolve(
    resolver: &dyn Resolve,
    target: &Url,
    private: bool,
    own: impl Fn(SocketAddr) -> bool,
) -> Result<Vec<SocketAddr>, Failure> {
    let found = trackside_net::resolve(resolver, target).await.map_err(Failure::Net)?;
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
        (true, None) => Err(Failure::Net(NetFailure::NoAddress { host: host.to_owned() })),
    }
}

/// Sends a request and waits for the head of the response, which has at most `header_bytes`.
pub(crate) async fn exchange<B>(
    target: &Url,
    addresses: &[SocketAddr],
    tls: &Tls,
    (head, body): (request::Parts, B),
    header_bytes: usize,
) -> Result<(Response<Incoming>, Connection), Failure>
where
    B: Body<Data = Bytes, Error = io::Error> + Send + 'static,
{
    let request = Request::from_parts(head, Box::pin(body));
    trackside_net::send(target, (addresses, CONNECT), tls, request, header_bytes).await.map_err(Failure::Net)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use trackside_net::BoxFuture;

    use super::*;

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
        let target = Url::parse("http://rebind.example/").unwrap();
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
