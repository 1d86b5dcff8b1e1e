//! Artifacts through a plugin against plain files: the same buffer, the same flush, in turns.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    time::Instant,
};

use sha2::{Digest as _, Sha256};
use trackside_sandbox::Plugin;
use trackside_spec::{ArtifactRef, HttpGrant};

use crate::{
    host::{Place, Scratch, file_of, gauge},
    report::{Rate, against, cpu, line, median, title},
};

/// What the Rust SDK moves in one call of the host.
const BUFFER: usize = 64 << 10;
const MIB: u64 = 1 << 20;

pub fn run() {
    title("artifacts through a plugin against plain files (64 KiB buffers, page cache; writes are flushed)");
    for (size, rounds) in [(MIB, 41), (1024 * MIB, 5)] {
        let name = if size == MIB { "1 MiB" } else { "1 GiB" };
        let place = Place::new();
        let plugin = place.gauge();
        let artifact = place.artifact(size);
        let file = file_of(&place.host.inputs, &artifact);
        flush(&file);
        let read = || drop(place.run(&plugin, gauge("read", 0, Some(&artifact))));
        let read = in_turns(size, rounds, || (), |()| read(), |()| read_file(&file));
        against(&format!("read {name}"), read);
        let scratch = || Scratch::new(&place);
        let ours = |scratch: &Scratch| write(&place, scratch, &plugin, gauge("write", size, None));
        let plain = in_turns(size, rounds, scratch, ours, |scratch| native_write(scratch.path(), size, None));
        against(&format!("write {name}"), plain);
        let hashed = |scratch: &Scratch| native_write(scratch.path(), size, Some(Sha256::new()));
        against(&format!("write {name}, native with SHA-256"), in_turns(size, rounds, scratch, ours, hashed));
        let ours = |scratch: &Scratch| write(&place, scratch, &plugin, gauge("splice", 0, Some(&artifact)));
        let splice = in_turns(size, rounds, scratch, ours, |scratch| native_copy(&file, scratch.path()));
        against(&format!("splice {name}"), splice);
        let sent = sends(&place, &plugin, &artifact, &file, rounds);
        against(&format!("HTTP body of {name}, from an artifact"), sent);
    }
    tensor();
}

/// The middle of `rounds`. What `prepare` makes and its end are not measured.
fn in_turns<S>(
    size: u64,
    rounds: usize,
    prepare: impl Fn() -> S,
    ours: impl Fn(&S),
    native: impl Fn(&S),
) -> (Rate, Rate) {
    let mib = size as f64 / MIB as f64;
    let time = |work: &dyn Fn(&S), rates: &mut Vec<Rate>| {
        let state = prepare();
        let (begun, used) = (Instant::now(), cpu());
        work(&state);
        let speed = mib / begun.elapsed().as_secs_f64();
        rates.push(Rate { speed, cpu: (cpu() - used) * 1e3 * 1024.0 / mib });
    };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        time(&ours, &mut left);
        time(&native, &mut right);
    }
    let middle = |rates: &[Rate]| Rate {
        speed: median(rates.iter().map(|rate| rate.speed).collect()),
        cpu: median(rates.iter().map(|rate| rate.cpu).collect()),
    };
    (middle(&left), middle(&right))
}

fn flush(path: &Path) {
    File::open(path).and_then(|file| file.sync_all()).expect("a flush");
}

fn read_file(path: &Path) {
    let (mut file, mut buffer) = (File::open(path).expect("the file"), vec![0; BUFFER]);
    while file.read(&mut buffer).expect("bytes") > 0 {}
}

/// A call that writes an artifact, which is flushed as the node does it.
fn write(place: &Place, scratch: &Scratch, plugin: &Plugin, call: trackside_sandbox::StepCall) {
    let report = place.run_on(plugin, call, &scratch.host);
    let path = scratch.written(&report.artifacts[0].1);
    flush(&path);
    flush(path.parent().expect("a folder"));
}

fn native_write(folder: &Path, size: u64, mut hash: Option<Sha256>) {
    let mut file = File::create(folder.join("part")).expect("a file");
    let buffer = vec![b'x'; BUFFER];
    for _ in 0..size / BUFFER as u64 {
        file.write_all(&buffer).expect("space");
        if let Some(hash) = &mut hash {
            hash.update(&buffer);
        }
    }
    finish(&file, folder);
}

fn native_copy(from: &Path, folder: &Path) {
    let mut source = File::open(from).expect("the file");
    let mut file = File::create(folder.join("part")).expect("a file");
    let mut buffer = vec![0; BUFFER];
    loop {
        match source.read(&mut buffer).expect("bytes") {
            0 => break,
            count => file.write_all(&buffer[..count]).expect("space"),
        }
    }
    finish(&file, folder);
}

fn finish(file: &File, folder: &Path) {
    fs::rename(folder.join("part"), folder.join("whole")).expect("a rename");
    file.sync_all().expect("a flush");
    flush(folder);
}

/// The body of a request from an artifact, against the same bytes from a file to a socket.
fn sends(place: &Place, plugin: &Plugin, artifact: &ArtifactRef, file: &Path, rounds: usize) -> (Rate, Rate) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(swallow));
    let mut call = gauge("send", 0, Some(artifact));
    let target = format!("http://{address}/");
    call.input_json = serde_json::json!({ "mode": "send", "target": target }).to_string();
    call.allow.http = vec![HttpGrant::parse(&target).expect("an origin").private()];
    in_turns(
        artifact.size,
        rounds,
        || (),
        |()| drop(place.run(plugin, call.clone())),
        |()| {
            let mut socket = TcpStream::connect(address).expect("the server");
            let head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", artifact.size);
            socket.write_all(head.as_bytes()).expect("the server listens");
            let (mut source, mut buffer) = (File::open(file).expect("the file"), vec![0; BUFFER]);
            loop {
                match source.read(&mut buffer).expect("bytes") {
                    0 => break,
                    count => socket.write_all(&buffer[..count]).expect("the server listens"),
                }
            }
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).expect("an answer");
        },
    )
}

/// Reads a request with a length and answers it.
fn swallow(mut socket: TcpStream) {
    let mut buffer = vec![0; 256 << 10];
    let mut head = Vec::new();
    let body = loop {
        let Ok(count @ 1..) = socket.read(&mut buffer) else { return };
        head.extend_from_slice(&buffer[..count]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break head.len() - end - 4;
        }
    };
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut left = length.unwrap_or(0usize).saturating_sub(body);
    while left > 0 {
        let Ok(count @ 1..) = socket.read(&mut buffer) else { return };
        left = left.saturating_sub(count);
    }
    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// A tensor of 64 MiB from an artifact, against reading the file into memory.
fn tensor() {
    const SIZE: u64 = 64 * MIB;
    let place = Place::new();
    let plugin = place.gauge();
    let artifact = place.artifact(SIZE);
    let file = file_of(&place.host.inputs, &artifact);
    let ours = || drop(place.run(&plugin, gauge("tensor", SIZE / 4, Some(&artifact))));
    let rates = in_turns(SIZE, 15, || (), |()| ours(), |()| drop(fs::read(&file).expect("the file")));
    against("tensor of 64 MiB from an artifact", rates);
    let small = place.artifact(4 << 10);
    let times = (0..200).map(|_| {
        let begun = Instant::now();
        place.run(&plugin, gauge("tensor", 1 << 10, Some(&small)));
        begun.elapsed().as_secs_f64() * 1e6
    });
    line("tensor of 4 KiB from an artifact, with its call", median(times.collect()), "us");
}
