//! The modes, one function each where it needs more than a line.

use std::{
    hint::black_box,
    io::{Read, Write},
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};
use trackside_sdk::{
    IfPresent, Outcome, Step, StepError,
    http::Request,
    model::{ElementType, Model, Tensor},
    telemetry,
};

/// Does what `mode` says. `raw` takes an output that is to leave as it is.
pub fn run(
    mode: &str,
    n: u64,
    target: Option<&str>,
    step: &Step,
    raw: &mut Option<String>,
) -> Result<Outcome<Value>, StepError> {
    let mut output = json!({ "mode": mode });
    match mode {
        "succeed" => {}
        "skip" => return Ok(Outcome::skipped("asked to")),
        "fail" => return Err(as_asked()),
        "flaky" if u64::from(step.info().attempt) < n => {
            let message = format!("attempt {} of {n}", step.info().attempt);
            return Err(StepError::retryable("flaky", message).retry_after(Duration::from_millis(1)));
        }
        "flaky" => {}
        "loop" => compute_for_ever(),
        "sleep" => std::thread::sleep(Duration::from_secs(365 * 86_400)),
        "wait-for-cancel" => while !step.cancelled() {},
        "allocate-all" => allocate(64 << 20),
        "grow" => allocate(64 << 10),
        "recurse" => output["sum"] = recurse(u64::MAX).into(),
        "panic" => panic!("misbehave was asked to panic"),
        "panic-deep" => panic_below(10),
        "unreachable" => unreachable_instruction(),
        "out-of-bounds" => output["value"] = past_the_end(&[1, 2, 3]).into(),
        "output-rubbish" => *raw = Some("}{ this is no JSON".into()),
        "output-huge" => output["filler"] = "x".repeat(size(n)).into(),
        "output-deep" => *raw = Some(format!("{}{}", "[".repeat(size(n)), "]".repeat(size(n)))),
        "http" => {
            let response = Request::get(target.unwrap_or("https://ungranted.example.org/")).send()?;
            output["status"] = response.status().into();
        }
        "http-flood" => {
            for _ in 0..n {
                Request::post(target.unwrap_or("https://ungranted.example.org/")).body(vec![b'x'; 1_000]).send()?;
            }
        }
        "http-headers" => {
            Request::get(target.unwrap_or("https://ungranted.example.org/"))
                .header("x-long", "x".repeat(size(n)))
                .send()?;
        }
        "publish" => step.publish("mqtt", target.unwrap_or("site/alarm"), b"hello")?,
        "env" => output["env"] = std::env::vars().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect(),
        "deliver-many" => {
            let artifact = step.create_with("out", "misbehave.txt", "text/plain", b"x")?;
            for number in 0..n {
                step.deliver(&artifact, &format!("out/{number}.txt"), IfPresent::Keep)?;
            }
        }
        "deliver" => deliver(step, target.unwrap_or("out/misbehave.txt"))?,
        "deliver-outside" => deliver(step, target.unwrap_or("out/../../escaped.txt"))?,
        "deliver-then-fail" => {
            deliver(step, target.unwrap_or("out/misbehave.txt"))?;
            return Err(as_asked());
        }
        "model" => output["digest"] = Model::open(target.unwrap_or("ungranted"))?.digest().into(),
        "state" => output["value"] = step.state().get::<Value>("key")?.unwrap_or_default(),
        "count" => output["count"] = count(step)?.into(),
        "set-then-fail" => {
            count(step)?;
            return Err(as_asked());
        }
        "write" => {
            let mut writer = step.create("out", "out.bin", "application/octet-stream")?;
            std::io::copy(&mut std::io::repeat(b'x').take(n), &mut writer)?;
            output["bytes"] = writer.commit()?.size().into();
        }
        "write-many" => {
            for number in 0..n {
                step.create_with("many", &format!("{number}.bin"), "application/octet-stream", b"x")?;
            }
        }
        "state-many" => {
            for number in 0..n {
                step.state().set_bytes(&format!("key-{number}"), &[b'x'; 1_000])?;
            }
        }
        "state-large" => step.state().set_bytes("key", &vec![b'x'; size(n)])?,
        "tensor" => {
            Tensor::from_bytes(ElementType::Uint8, &[u32::try_from(n).unwrap_or(u32::MAX)], &vec![1; size(n)])?;
        }
        "handles" => {
            let spans: Vec<_> = (0..n).map(|_| telemetry::Span::start("held", &[])).collect();
            output["held"] = spans.len().into();
        }
        "host-call" => trackside_sdk::info!("{}", "x".repeat(size(n))),
        "write-uncommitted" => {
            let mut writer = step.create("out", "out.bin", "application/octet-stream")?;
            std::io::copy(&mut std::io::repeat(b'x').take(n), &mut writer)?;
            writer.flush()?;
        }
        "write-undeclared" => {
            step.create_with("never-declared", "out.bin", "application/octet-stream", b"x")?;
        }
        "log-flood" => (0..n).for_each(|line| trackside_sdk::info!("{line:0>100}")),
        "stderr-flood" => (0..n).for_each(|line| eprintln!("{line:0>99}")),
        "read" => {
            let mut reader = step.input("in")?.reader()?;
            output["bytes"] = std::io::copy(&mut reader, &mut std::io::sink())?.into();
        }
        "clock" => clocks(&mut output),
        "compute" => output["sum"] = (0..n).fold(0u64, |sum, number| black_box(sum.wrapping_add(number))).into(),
        "deterministic" => deterministic(&mut output),
        "leave-traces" => output["found"] = traces().into(),
        _ => return Err(StepError::fatal("bad-input", format!("there is no mode `{mode}`"))),
    }
    Ok(Outcome::Done(output))
}

fn as_asked() -> StepError {
    StepError::fatal("as-asked", "misbehave was asked to fail")
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn compute_for_ever() {
    let mut number = 1u64;
    loop {
        number = black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

fn allocate(piece: usize) {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(black_box(vec![1; piece]));
        telemetry::gauge("held", held.len() as f64, &[]);
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if depth == 0 { 0 } else { recurse(depth - 1).wrapping_add(frame[7]) }
}

#[inline(never)]
fn panic_below(levels: u32) {
    if levels == 0 {
        panic!("misbehave was asked to panic ten calls down");
    }
    panic_below(black_box(levels - 1));
    black_box(levels);
}

#[inline(never)]
fn past_the_end(values: &[u32]) -> u32 {
    values[black_box(7)]
}

#[cfg(target_arch = "wasm32")]
fn unreachable_instruction() {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn unreachable_instruction() {
    std::process::abort()
}

fn deliver(step: &Step, path: &str) -> Result<(), StepError> {
    let artifact = step.create_with("out", "misbehave.txt", "text/plain", b"delivered by misbehave\n")?;
    step.deliver(&artifact, path, IfPresent::Replace)
}

fn count(step: &Step) -> Result<u64, StepError> {
    step.workflow_state().update("count", |count: &mut u64| {
        *count += 1;
        Ok(*count)
    })
}

/// Counts what an earlier call left behind where a fresh instance has zeros, then leaves traces there itself: in a
/// static variable and in memory that was just asked for.
#[cfg(target_arch = "wasm32")]
fn traces() -> usize {
    use std::{
        arch::wasm32::memory_grow,
        sync::atomic::{AtomicU64, Ordering},
    };

    const PAGES: usize = 32;
    const PAGE: usize = 64 << 10;
    static MARK: AtomicU64 = AtomicU64::new(0);
    let mut found = usize::from(MARK.swap(0x5aa5_5aa5, Ordering::Relaxed) != 0);
    let first = memory_grow(0, PAGES);
    if first == usize::MAX {
        return found;
    }
    for place in 0..PAGES * PAGE {
        let byte = std::ptr::with_exposed_provenance_mut::<u8>(first * PAGE + place);
        // SAFETY: these pages were just given to this call alone, and the allocator does not know of them.
        unsafe {
            found += usize::from(byte.read_volatile() != 0);
            byte.write_volatile(0xa5);
        }
    }
    found
}

#[cfg(not(target_arch = "wasm32"))]
fn traces() -> usize {
    0
}

/// A pure step must see the logical time and repeatable randomness here.
fn clocks(output: &mut Value) {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    output["unix_ms"] = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX).into();
    let start = Instant::now();
    output["elapsed_ns"] = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX).into();
    // The standard library seeds its hash maps from the random source.
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 1);
    output["random"] = format!("{random:016x}").into();
}

/// Everything that could differ between two runs of a pure step, or between two machines.
#[expect(clippy::eq_op, reason = "NaNs are what is wanted")]
fn deterministic(output: &mut Value) {
    clocks(output);
    // Bits of NaNs: the processor decides about sign and payload unless somebody makes them canonical.
    let (zero, huge) = (black_box(0.0f64), black_box(f64::INFINITY));
    let odd = f64::from_bits(black_box(0xfff4_0000_dead_beef));
    let numbers = [zero / zero, -(zero / zero), huge - huge, odd + 1.0, odd * huge, odd.sqrt()];
    output["nans"] = numbers.iter().map(|number| format!("{:016x}", number.to_bits())).collect();
    let narrow = [black_box(0.0f32) / black_box(0.0f32), odd as f32];
    output["narrow"] = narrow.iter().map(|number| format!("{:08x}", number.to_bits())).collect();
    // The order of a hash map comes from the random source.
    let map: std::collections::HashMap<u32, ()> = (0..32).map(|key| (key, ())).collect();
    output["order"] = map.into_keys().collect();
    // Waiting for a time to come, by looking and by sleeping.
    let start = Instant::now();
    let mut looks = 0u32;
    while start.elapsed() < Duration::from_millis(1) {
        looks += 1;
    }
    std::thread::sleep(Duration::from_millis(3));
    output["looks"] = looks.into();
    output["slept_ns"] = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX).into();
}
