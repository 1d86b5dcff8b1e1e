//! The service that Restate calls: steps that add one, alone and in a row. Listens on the port that its argument names.
//!
//! The SDK's steps do not go into its set of futures (0.13): a fan-out is a row of as many steps here, which Restate
//! ends sooner than child calls.

use restate_sdk::prelude::*;

struct Work;

async fn row(context: &Context<'_>, steps: u32, mut value: u64) -> Result<u64, HandlerError> {
    for _ in 0..steps {
        value = context.run(|| async move { Ok(value + 1) }).await?;
    }
    Ok(value)
}

#[service]
impl Work {
    #[handler]
    async fn one(&self, context: Context<'_>, value: u64) -> Result<u64, HandlerError> {
        row(&context, 1, value).await
    }

    #[handler]
    async fn chain(&self, context: Context<'_>, value: u64) -> Result<u64, HandlerError> {
        row(&context, 10, value).await
    }

    #[handler]
    async fn fan(&self, context: Context<'_>, value: u64) -> Result<u64, HandlerError> {
        row(&context, 12, value).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("no port")?.parse()?;
    let address = (std::net::Ipv4Addr::LOCALHOST, port).into();
    HttpServer::new(Endpoint::builder().bind(Work).build()).listen_and_serve(address).await;
    Ok(())
}
