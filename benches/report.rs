//! Lines of the table, and which parts were asked for.

/// The figures of one part under its title.
pub fn title(text: &str) {
    println!("\n{text}");
}

/// One figure.
pub fn line(name: &str, value: f64, unit: &str) {
    println!("{name:<58} {value:>12.3} {unit}");
}

/// How fast bytes were moved, and what processor time of this process that took.
#[derive(Clone, Copy, Default)]
pub struct Rate {
    /// MiB a second.
    pub speed: f64,
    /// Milliseconds for 1 GiB.
    pub cpu: f64,
}

/// Two rates, and what part of the second the first is. The processor time depends less on what else the machine does.
pub fn against(name: &str, (ours, native): (Rate, Rate)) {
    let part = 100.0 * ours.speed / native.speed;
    println!(
        "{name:<38} {:>7.0} MiB/s  native {:>7.0} MiB/s {part:>5.0} %    cpu for 1 GiB {:>6.0} ms, native {:>6.0} ms",
        ours.speed, native.speed, ours.cpu, native.cpu
    );
}

/// Processor time of this process so far, in seconds.
pub fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Whether a part was asked for: `cargo bench -- NAME`, or everything.
pub fn is_wanted(part: &str) -> bool {
    filters().next().is_none() || filters().any(|filter| filter == part)
}

/// What was asked for.
pub fn filters() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with('-'))
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
