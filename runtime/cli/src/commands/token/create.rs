//! `trackside token create`

use clap::Args;
use trackside_control::{MakeToken, Session};
use trackside_spec::{Duration, Role};

use crate::{
    accepting::{HERE, accepted},
    context::{Context, runtime},
    failure::Failure,
    output::local_time,
};

/// Make a token: who brings it may ask the inference server, as far as its role goes
///
/// The token is printed once and kept nowhere: the node knows its digest alone. A client sends it as `Authorization: Bearer TOKEN`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside token create line-3\n  trackside token create deploy --role operator --expires 90d"
)]
pub struct Arguments {
    /// Its name: letters, digits, `.`, `_` and `-`
    name: String,
    /// What its holder may do: `client` asks models; `operator`, `author` and `admin` load and unload them, too
    #[arg(long, default_value = "client")]
    role: Role,
    /// How long it opens, such as 90d. Without it until it is revoked
    #[arg(long, value_name = "TIME")]
    expires: Option<Duration>,
}

/// Makes it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, role, expires } = arguments;
    let project = context.project()?;
    let console = context.console;
    let wanted = MakeToken { name: name.clone(), role: *role, expires: *expires };
    let made = runtime()?.block_on(async {
        let session = Session::without_node(project, HERE).await?;
        let asked = session.control().make_token(wanted);
        accepted(console, &session, "the token is made", asked).await.map_err(Failure::from)
    })?;
    if console.json {
        return console.print_json(&made);
    }
    let until = made.expires_ms.map(|expires_ms| format!(" until {}", local_time(expires_ms))).unwrap_or_default();
    console.say(&format!("The token {} (role {}) opens{until}. It is shown this once:", made.name, made.role));
    console.print(&format!("{}\n", made.token))
}
