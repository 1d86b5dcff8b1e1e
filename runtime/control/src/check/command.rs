//! `command:` of a step against the plugin that it calls.

use std::path::Path;

use serde_json::Value;
use trackside_codes::code;
use trackside_sandbox::Plugin;
use trackside_spec::{Allow, PluginCall};

use super::workflow::{Report, inside};

/// Checks that only programs are called as programs, and that their files are there.
pub fn check(root: &Path, call: &PluginCall, plugin: &Plugin, report: &mut Report<'_>) {
    let is_command = plugin.is_command();
    let usable =
        Allow { clock: call.allow.clock, random: call.allow.random, env: call.allow.env.clone(), ..Allow::default() };
    if is_command && call.allow != usable {
        let message = "a WASI command can use the grants `clock`, `random` and `env` only".to_owned();
        report.warning(code!("TS-0868"), "allow", message, Some("take the others out of `allow`".to_owned()));
    }
    if is_command && call.reuse.is_some() {
        let message =
            format!("`{}` is a WASI command: it ends with its attempt, and there is nothing to keep", call.plugin);
        report.warning(code!("TS-0870"), "reuse", message, Some("take `reuse` out".to_owned()));
    }
    let Some(command) = &call.command else { return };
    if !is_command {
        let message = format!("`{}` is a component of the contract, not a WASI command", call.plugin);
        return report.problem(code!("TS-0867"), "command", message, Some("give it its input under `with`".to_owned()));
    }
    for name in command.given.keys_under("files") {
        let Some(path) = command.given.constant_at(&["files", name]).and_then(Value::as_str) else { continue };
        if let Err(reason) = inside(root, path) {
            let message = format!("`files.{name}` names the file {path:?} of the project: {reason}");
            report.problem(code!("TS-0863"), name, message, None);
        }
    }
}
