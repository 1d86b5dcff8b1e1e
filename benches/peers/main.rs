//! `cargo bench -- peers`: Trackside beside other engines, the same work, in turns, on this machine.
//!
//! It installs Restate (npm), DBOS and Huey (PyPI) at fixed versions, builds the service that Restate calls, and needs `npm`,
//! `python3` and the network for it; what can not be had is told and left out. `TRACKSIDE_PEERS_SECONDS` says for how
//! long each load goes on (3), `TRACKSIDE_PEERS_ROUNDS` how often (3), `TRACKSIDE_PEERS_FOLDER` where the engines are kept from
//! one call to the next (a folder that goes in the end), `TRACKSIDE_PEERS_PARTS` which parts, by a word of their names each (all).
//! The disk that is measured is that of `TRACKSIDE_PEERS_DISK` (the build's own).
//!
//! One load generator, in this process, whose processor time is told apart; everything else is in processes of its own. Each
//! engine is started anew, in an empty folder, for every part of every round, and the order turns with the rounds.

#![expect(clippy::expect_used, reason = "a benchmark that can not be set up has nothing to say")]

#[path = "../../runtime/cli/src/commands/bench/ask.rs"]
mod ask;
#[path = "../../runtime/cli/src/commands/bench/client.rs"]
#[allow(dead_code, reason = "its tests are run there")]
mod client;
mod disk;
mod engines;
mod install;
#[path = "../../runtime/cli/src/commands/bench/load.rs"]
mod load;
mod machine;
mod process;
mod rounds;
mod table;
mod work;

use std::{io, path::Path, path::PathBuf, time::Duration};

use engines::Way;
use rounds::{PARTS, Part, Seen};
use work::{Disk, Engine};

/// An engine, and how it is started.
type Peer = (&'static str, Box<dyn Fn(&Path, Disk) -> io::Result<Box<dyn Engine>>>);

fn main() {
    disk::stand_between();
    // Asked for by name alone: it installs what others have written.
    if std::env::args().skip(1).any(|argument| argument == "peers") {
        run();
    }
}

fn run() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number in the environment"))
    };
    let time = Duration::from_secs(number("TRACKSIDE_PEERS_SECONDS", 3));
    let rounds = number("TRACKSIDE_PEERS_ROUNDS", 3) as usize;
    let words = std::env::var("TRACKSIDE_PEERS_PARTS").unwrap_or_default();
    let is_wanted =
        |part: &&Part| words.is_empty() || words.split(',').any(|word| part.name.contains(word) && !word.is_empty());
    let ground =
        std::env::var_os("TRACKSIDE_PEERS_DISK").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    let room = tempfile::Builder::new().prefix("peers-").tempdir_in(ground).expect("a temporary folder");
    let kept = std::env::var_os("TRACKSIDE_PEERS_FOLDER").map(PathBuf::from);
    let peers = peers(&kept.unwrap_or_else(|| room.path().join("installed")));
    println!("{}", machine::describe(room.path()));
    println!("{rounds} rounds, {} s each, load average at the start {}", time.as_secs(), machine::load());
    let mut seen: Vec<Seen> = Vec::new();
    let own = machine::own_cpu();
    for round in 0..rounds {
        for part in PARTS.iter().filter(is_wanted) {
            for turn in 0..peers.len() {
                let (engine, start) = &peers[(turn + round) % peers.len()];
                let folder = room.path().join("work");
                let measured = rounds::measure(part, start, &folder, time, &mut |cell, figure, value| {
                    eprintln!(
                        "{round} | {engine} | {cell} | {} | {value:.4} | load {}",
                        figure.name(),
                        machine::load()
                    );
                    seen.push(Seen { cell, engine, round, figure, value });
                });
                if let Err(error) = measured {
                    println!("not run: {engine}, {}: {error}", part.name);
                }
                std::fs::remove_dir_all(&folder).expect("its folder can be removed");
            }
        }
    }
    let names: Vec<&'static str> = peers.iter().map(|(name, _)| *name).collect();
    table::print(&seen, &names);
    println!("\n(x N): Trackside's figure divided by this one, in the same round; medians of the rounds");
    println!(
        "load average at the end {}; processor time of the load generator {:.1} s",
        machine::load(),
        machine::own_cpu() - own
    );
}

/// The engines that there are; what can not be had is told.
fn peers(folder: &Path) -> Vec<Peer> {
    let mut peers: Vec<Peer> = vec![
        ("Trackside", Box::new(|folder, disk| engines::trackside(Way::Socket, folder, disk))),
        ("Trackside, webhook", Box::new(|folder, disk| engines::trackside(Way::Hook, folder, disk))),
    ];
    std::fs::create_dir_all(folder).expect("a folder for the engines");
    match install::restate(folder) {
        Ok(installed) => {
            let (shipped, two) = (std::rc::Rc::new(installed), Some(2));
            let again = shipped.clone();
            peers
                .push(("Restate 1.7.12", Box::new(move |folder, disk| engines::restate(&shipped, None, folder, disk))));
            peers.push((
                "Restate, 2 partitions",
                Box::new(move |folder, disk| engines::restate(&again, two, folder, disk)),
            ));
        }
        Err(error) => println!("not run: Restate {}: {error}", install::RESTATE),
    }
    match install::python(folder) {
        Ok(python) => {
            let again = python.clone();
            peers.push(("DBOS 3.4.0", Box::new(move |folder, disk| engines::dbos(&python, folder, disk))));
            peers.push(("Huey 3.5.4", Box::new(move |folder, disk| engines::huey(&again, folder, disk))));
        }
        Err(error) => println!("not run: DBOS {}, Huey {}: {error}", install::DBOS, install::HUEY),
    }
    peers
}
