//! The wire alone: an identity model behind the inference server beside a bare axum handler, and the codecs beside `serde_json`'s tree.
//!
//!     cargo bench --bench wire [SECONDS]      rounds of that length in turns, default 3
//!
//! Clients are threads with a socket each, on the same cores as the servers: read the relation, not the numbers.

#![expect(clippy::unwrap_used, reason = "a bench that can not go on ends")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::DefaultBodyLimit, routing::post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use trackside_server::inference::{
    Answering, Backend, Failure, IndexEntry, InferAnswer, InferRequest, InferenceServer, InferenceSettings,
    ModelConfig, ModelMetadata, Statistics, Wanted,
};

struct Identity;

impl Backend for Identity {
    fn ready(&self) -> bool {
        true
    }

    fn models(&self) -> Answering<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn model_ready<'a>(&'a self, _: &'a Wanted) -> Answering<'a, bool> {
        Box::pin(async { Ok(true) })
    }

    fn metadata<'a>(&'a self, _: &'a Wanted) -> Answering<'a, Arc<ModelMetadata>> {
        Box::pin(async { Err(Failure::invalid("none")) })
    }

    fn config<'a>(&'a self, _: &'a Wanted) -> Answering<'a, ModelConfig> {
        Box::pin(async { Err(Failure::invalid("none")) })
    }

    fn infer<'a>(&'a self, wanted: &'a Wanted, request: InferRequest) -> Answering<'a, InferAnswer> {
        let (model, version, outputs) = (wanted.name.clone(), "1".to_owned(), request.inputs);
        Box::pin(async { Ok(InferAnswer { model, version, outputs, parameters: Vec::new(), labels: Vec::new() }) })
    }

    fn index(&self) -> Answering<'_, Vec<IndexEntry>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn load<'a>(&'a self, _: &'a Wanted) -> Answering<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn unload<'a>(&'a self, _: &'a Wanted) -> Answering<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn statistics<'a>(&'a self, _: Option<&'a Wanted>) -> Answering<'a, Vec<Statistics>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[derive(Deserialize)]
struct In {
    inputs: Vec<Tensor>,
}

#[derive(Serialize)]
struct Out {
    model_name: &'static str,
    outputs: Vec<Tensor>,
}

#[derive(Deserialize, Serialize)]
struct Tensor {
    name: String,
    datatype: String,
    shape: Vec<u32>,
    data: Vec<f32>,
}

/// What an experienced programmer writes who wants nothing but this.
async fn bare(Json(In { inputs }): Json<In>) -> Json<Out> {
    Json(Out { model_name: "m", outputs: inputs })
}

fn start_bare() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("bare").enable_all().build().unwrap();
        runtime.block_on(async {
            let router = Router::new().route("/v2/models/m/infer", post(bare)).layer(DefaultBodyLimit::disable());
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    address
}

/// Requests in so many seconds, over so many connections.
fn load(address: SocketAddr, request: &[u8], clients: usize, time: Duration) -> f64 {
    let (over, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut stream = BufReader::new(stream);
                let (mut line, mut body) = (String::new(), Vec::new());
                while !over.load(Ordering::Relaxed) {
                    stream.get_mut().write_all(request).unwrap();
                    let mut length = 0;
                    loop {
                        line.clear();
                        stream.read_line(&mut line).unwrap();
                        if line.len() <= 2 {
                            break;
                        }
                        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                    }
                    body.resize(length, 0);
                    stream.read_exact(&mut body).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(time);
        over.store(true, Ordering::Relaxed);
    });
    count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

fn json_request(elements: usize) -> Vec<u8> {
    let data: Vec<f64> = (0..elements).map(|index| f64::from((index as f32 * 0.37).sin())).collect();
    let body = json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, elements], "data": data}]}).to_string();
    let head = format!(
        "POST /v2/models/m/infer HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

fn binary_request(elements: usize) -> Vec<u8> {
    let json = json!({
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, elements], "parameters": {"binary_data_size": elements * 4}}],
        "parameters": {"binary_data_output": true},
    })
    .to_string();
    let length = json.len();
    let head = format!(
        "POST /v2/models/m/infer HTTP/1.1\r\nhost: a\r\ninference-header-content-length: {length}\r\ncontent-length: {}\r\n\r\n",
        length + elements * 4
    );
    [head.into_bytes(), json.into_bytes(), vec![0; elements * 4]].concat()
}

/// Nanoseconds that the threads of this name have run.
fn cpu(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path());
    let named = tasks.filter(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    let ran = named.filter_map(|task| std::fs::read_to_string(task.join("schedstat")).ok());
    ran.filter_map(|ran| ran.split(' ').next()?.parse::<f64>().ok()).sum()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(3.0);
    let time = Duration::from_secs_f64(seconds);
    let settings = InferenceSettings { listen: vec!["127.0.0.1:0".parse().unwrap()], ..InferenceSettings::default() };
    let server = InferenceServer::start(&settings, Arc::new(Identity)).unwrap();
    let (ours, bare) = (server.addresses()[0], start_bare());
    println!(
        "| elements | clients | REST JSON | bare axum, JSON | relation | REST binary | processor: JSON, axum, binary |"
    );
    println!("|---|---|---|---|---|---|---|");
    for elements in [12, 1000, 50_176] {
        let (json, binary) = (json_request(elements), binary_request(elements));
        for clients in [1, 4, 16] {
            let (mut rates, mut costs) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
            for _ in 0..5 {
                let turns = [(ours, &json, "inference"), (bare, &json, "bare"), (ours, &binary, "inference")];
                for (index, (address, request, threads)) in turns.into_iter().enumerate() {
                    let (before, began) = (cpu(threads), Instant::now());
                    let rate = load(address, request, clients, time / 5);
                    rates[index].push(rate);
                    costs[index].push((cpu(threads) - before) / (rate * began.elapsed().as_secs_f64()) / 1000.0);
                }
            }
            let ([rest, bare, raw], [a, b, c]) = (rates.map(median), costs.map(median));
            println!(
                "| {elements} | {clients} | {rest:.0}/s | {bare:.0}/s | {:.2} | {raw:.0}/s | {a:.1}, {b:.1}, {c:.1} us |",
                rest / bare
            );
        }
    }
}
