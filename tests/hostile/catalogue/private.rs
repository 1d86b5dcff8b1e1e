//! Guests that look for what is not theirs: the box's surroundings, its secrets, traces of others.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use super::{
    attack::{Attack, Attacks, Seen},
    guest::{Guest, RET},
    server::Server,
};

const SECRET: &str = "correct-horse-battery-staple";
/// `printf 'x:%s' SECRET | base64`
const IN_BASE64: &str = "eDpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl";

#[test]
fn h35_looks_around() {
    let mut guest = Guest::new();
    let list = "(param i32)";
    let mut body = String::new();
    for (alias, interface, function) in
        [("environment", "cli/environment", "get-environment"), ("folders", "filesystem/preopens", "get-directories")]
    {
        guest.import(alias, interface, function, list);
        let found = guest.fail(alias, "there is something");
        body += &format!("(call ${alias} (i32.const {RET})) (if (i32.load offset=4 (i32.const {RET})) (then {found}))");
    }
    // Of the arguments at most a name.
    guest.import("arguments", "cli/environment", "get-arguments", list);
    let found = guest.fail("arguments", "there are arguments");
    body += &format!(
        "(call $arguments (i32.const {RET}))
        (if (i32.gt_u (i32.load offset=4 (i32.const {RET})) (i32.const 1)) (then {found}))"
    );
    for (alias, interface, function) in
        [("folder", "cli/environment", "initial-cwd"), ("terminal", "cli/terminal-stdout", "get-terminal-stdout")]
    {
        guest.import(alias, interface, function, list);
        let found = guest.fail(alias, "there is one");
        body += &format!("(call ${alias} (i32.const {RET})) (if (i32.load8_u (i32.const {RET})) (then {found}))");
    }
    guest.import("network", "sockets/instance-network", "instance-network", "(result i32)").import(
        "resolve",
        "sockets/ip-name-lookup",
        "resolve-addresses",
        "(param i32 i32 i32 i32)",
    );
    let (name, resolved) = (guest.text("localhost"), guest.fail("network", "names are looked up"));
    body += &format!(
        "(call $resolve (call $network) {name} (i32.const {RET}))
        (if (i32.eqz (i32.load8_u (i32.const {RET}))) (then {resolved}))"
    );
    guest.run(body);
    Attacks::of(35, 32).attack(Attack::guest(&guest)).run();
}

/// Every file below a folder in which the secret stands, in any dress, elsewhere than in these texts.
fn places(folder: &Path, own: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(places(&path, own));
        } else if let Ok(bytes) = fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let text = own.iter().filter(|own| !own.is_empty()).fold(text, |text, own| text.replace(own.as_str(), ""));
            if text.contains(SECRET) || text.contains(IN_BASE64) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// The secret is in no record of the run and on no page.
#[track_caller]
fn is_silent(seen: &Seen<'_>) {
    let told = seen.told() + &seen.view.to_string();
    // One half of it is enough.
    for piece in [SECRET, &SECRET[..14], IN_BASE64] {
        assert!(!told.contains(piece), "{piece} in {told}");
    }
    // What a step puts into its artifacts is in them, wherever they lie: in files, or in the database.
    let own: Vec<String> = seen.project.artifacts().iter().map(|digest| seen.project.artifact(digest)).collect();
    let places = places(&seen.project.path(".trackside"), &own);
    assert!(places.iter().all(|place| place.contains("/artifacts/")), "{places:?}");
}

/// The config of a box with the secret `pw` for one host.
fn box_with_secret(host: &str) -> String {
    format!("[secrets.pw]\nfile = \"pw.txt\"\nhosts = [\"{host}\"]\nreveal = true\n")
}

/// The secret's file belongs to its owner alone.
fn secret(attacks: Attacks) -> Attacks {
    attacks.prepare(|project| {
        project.write("pw.txt", format!("{SECRET}\n"));
        fs::set_permissions(project.path("pw.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    })
}

#[test]
fn h36_gives_a_secret_away() {
    let (granted, other) = (Server::says("granted"), Server::says("other"));
    let attack = |mode: &str, server: &Server, grant: &str| {
        let allow =
            format!("http: [{{ origin: \"{}\", private: true }}], secrets: [{grant}], deliver: [out]", server.origin);
        Attack::mode(mode, &format!("target: \"{}/x\"", server.origin)).allow(allow).look(is_silent)
    };
    let shown = "{ name: pw, reveal: true }";
    let attacks = Attacks::of(36, 64)
        .config(box_with_secret(&granted.origin[7..]))
        .attack(attack("secret-send", &other, "pw").ends("denied", &["secrets.pw"]))
        .attack(attack("secret-url", &granted, "pw").ends("denied", &["URL"]))
        .attack(attack("secret-body", &granted, "pw").ends("denied", &["body"]))
        .attack(attack("secret-reveal", &granted, "pw").ends("denied", &["reveal: true"]))
        .attack(attack("secret-everywhere", &granted, shown))
        .attack(attack("secret-error", &granted, shown).ends("leak", &["[secret pw]"]))
        .attack(attack("secret-skip", &granted, shown));
    secret(attacks).run();
    assert_eq!(granted.heads().len() + other.heads().len(), 0);
}

#[test]
fn h43_dies_with_a_secret_on_its_lips() {
    let attack = Attack::mode("secret-panic", "target: \"http://127.0.0.1:1/\"")
        .allow("secrets: [{ name: pw, reveal: true }]")
        .ends("panic", &["[secret pw]"])
        .look(is_silent);
    secret(Attacks::of(43, 64).config(box_with_secret("127.0.0.1:1")).attack(attack)).run();
}

#[test]
fn h38_looks_for_what_others_left() {
    // The same slot is used again for each: what the first one left would be found by the next.
    let mut attacks = Attacks::of(38, 64);
    for _ in 0..4 {
        attacks = attacks.attack(
            Attack::mode("leave-traces", "n: 0")
                .look(|seen| assert_eq!(seen.view["outputs"]["bad"]["found"], 0, "{:#}", seen.view)),
        );
    }
    attacks.run();
}

#[test]
fn h39_wants_to_differ_from_run_to_run() {
    // Rounding that a processor may choose.
    let mut relaxed = Guest::new();
    relaxed.run(
        "(drop (f32x4.relaxed_madd (f32x4.splat (f32.const 1)) (f32x4.splat (f32.const 2)) (f32x4.splat (f32.const 3))))",
    );
    let told = std::rc::Rc::new(std::cell::RefCell::new(Vec::<Value>::new()));
    let mut attacks = Attacks::of(39, 64);
    for _ in 0..2 {
        let told = told.clone();
        attacks = attacks.attack(Attack::mode("deterministic", "n: 0").look(move |seen| {
            assert_eq!(seen.report()["deterministic"], true, "{:#}", seen.report());
            // The run's own time and key are what the clock and the seed come from.
            let output = &seen.view["outputs"]["bad"];
            let parts = ["nans", "narrow", "looks", "slept_ns", "elapsed_ns"].map(|key| output[key].clone());
            told.borrow_mut().push(Value::from(parts.to_vec()));
        }));
    }
    attacks.attack(Attack::guest(&relaxed).refused("TS-0312", &["relaxed"])).run();
    let told = told.borrow();
    assert!(told.len() >= 2 && told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
}
