//! `trackside token revoke`

use clap::Args;
use trackside_control::Session;

use crate::{
    accepting::{HERE, accepted},
    context::{Context, runtime},
    failure::Failure,
};

/// Revoke a token: a server lets nobody in with it a second later
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its name
    name: String,
}

/// Revokes it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let console = context.console;
    let revoked = runtime()?.block_on(async {
        let session = Session::without_node(project, HERE).await?;
        let asked = session.control().revoke_token(&arguments.name);
        accepted(console, &session, "the token is revoked", asked).await.map_err(Failure::from)
    })?;
    if console.json {
        return console.print_json(&revoked);
    }
    console.say(&format!("The token {} opens no more.", revoked.name));
    Ok(())
}
