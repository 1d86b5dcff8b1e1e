//! `trackside token list`

use clap::Args;
use trackside_control::{TokenDocument, list_tokens};

use crate::{
    context::Context,
    failure::Failure,
    output::{Paint, Table, escape, local_time},
};

/// List the tokens that were not revoked: names and roles, never the tokens themselves
#[derive(Debug, Args)]
pub struct Arguments {}

/// Lists them.
pub fn execute(context: &Context, _: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let tokens = match context.reader_of(&project)? {
        Some(reader) => list_tokens(&reader)?,
        None => Vec::new(),
    };
    let console = context.console;
    if console.json {
        return console.print_json(&tokens);
    }
    if tokens.is_empty() {
        console.say("There is no token; `trackside token create NAME` makes one.");
        return Ok(());
    }
    console.print(&page(&tokens, console.out))
}

fn page(tokens: &[TokenDocument], paint: Paint) -> String {
    let mut table = Table::headed(&["TOKEN", "ROLE", "MADE", "BY", "EXPIRES"]);
    for token in tokens {
        table.row([
            escape(&token.name).into_owned().into(),
            token.role.name().into(),
            local_time(token.made_ms).into(),
            escape(&token.by).into_owned().into(),
            token.expires_ms.map_or_else(|| "never".to_owned(), local_time).into(),
        ]);
    }
    table.render(paint)
}
