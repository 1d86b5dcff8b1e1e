//! What a node is asked for from outside.

use std::{
    io,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::client::{Connection, get};

/// Where a run is asked for together with its end; a node that can not wait answers when the run is on disk.
pub const START: &str = "/v1/runs?wait=10s";
/// Longer than what is under way should take to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the node is asked whether all have ended.
const LOOK: Duration = Duration::from_millis(2);

/// Asks for a run, and waits for its end.
pub async fn ended(connection: &mut Connection, request: &[u8]) -> io::Result<()> {
    let answer = connection.ask(request).await?;
    if answer.status == 200 {
        return succeeded(answer.body);
    }
    let accepted: Value = serde_json::from_slice(answer.body).map_err(io::Error::other)?;
    let Some(run) = accepted["run"].as_str() else { return Err(unexpected(answer.status, answer.body)) };
    let events = connection.ask(&get(&format!("/v1/runs/{run}/events"))).await?;
    succeeded(events.body)
}

/// Asks for a run, and waits until it is accepted.
pub async fn accepted(connection: &mut Connection, request: &[u8]) -> io::Result<()> {
    let answer = connection.ask(request).await?;
    if answer.status == 202 { Ok(()) } else { Err(unexpected(answer.status, answer.body)) }
}

/// Waits until no run is under way. `connection` is one to the node's socket.
pub async fn all_ended(connection: &mut Connection) -> io::Result<()> {
    let (asked, status) = (Instant::now(), get("/v1/status"));
    while asked.elapsed() < PATIENCE {
        let answer = connection.ask(&status).await?;
        let status: Value = serde_json::from_slice(answer.body).map_err(io::Error::other)?;
        if status["live_runs"] == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(io::Error::other("runs did not end within 30 s"))
}

/// A run that fails is no measurement.
fn succeeded(said: &[u8]) -> io::Result<()> {
    let word = b"\"succeeded\"";
    if said.windows(word.len()).any(|part| part == word) { Ok(()) } else { Err(unexpected(200, said)) }
}

fn unexpected(status: u16, said: &[u8]) -> io::Error {
    let said = String::from_utf8_lossy(&said[..said.len().min(500)]);
    io::Error::other(format!("the node answered {status}: {said}"))
}
