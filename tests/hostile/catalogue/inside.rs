//! Guests whose names lead to addresses that a test has to make up: on a sandbox of the test's own, whose resolver it
//! is. What the sandbox reports is what the node journals.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use trackside_codes::Reason;

use trackside_sandbox::{
    ArtifactSink, BoxFuture, InferenceFailure, ModelHandle, Nobody, Plugin, Resolve, Sandbox, SandboxSettings,
    StateEntry, StateScope, StepCall, StepHost, StepReport,
};
use trackside_spec::{ArtifactRef, HttpGrant};

use super::{
    attack::is_readable,
    case::{Case, Timed, memory},
    guest::{Guest, RET, runs},
    server::Server,
};

/// Gives out one list of addresses after the other; the last one again and again.
#[derive(Debug)]
struct Script {
    answers: Mutex<Vec<Vec<SocketAddr>>>,
}

impl Resolve for Script {
    fn lookup<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// A host that has nothing but an address of its own.
struct Own(Option<SocketAddr>);

impl StepHost for Own {
    fn open_artifact(&self, artifact: &ArtifactRef) -> io::Result<std::fs::File> {
        Nobody.open_artifact(artifact)
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        Nobody.create_artifact()
    }

    fn open_model<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        Nobody.open_model(name)
    }

    fn state_get<'a>(&'a self, scope: StateScope, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>> {
        Nobody.state_get(scope, key)
    }

    fn state_list<'a>(
        &'a self,
        scope: StateScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        Nobody.state_list(scope, prefix, after, limit)
    }

    fn now_ms(&self) -> u64 {
        0
    }

    fn is_own_address(&self, address: SocketAddr) -> bool {
        self.0.is_some_and(|own| own.port() == address.port())
    }
}

/// A sandbox whose names lead where a test says, with an honest and a hostile guest in it.
struct Inside {
    sandbox: Sandbox,
    honest: Arc<Plugin>,
    own: Option<SocketAddr>,
    before: u64,
    _folder: tempfile::TempDir,
}

impl Inside {
    fn new(answers: Vec<Vec<SocketAddr>>, own: Option<SocketAddr>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let resolver = Arc::new(Script { answers: Mutex::new(answers) });
        let settings = SandboxSettings {
            resolver: Some(resolver),
            ..SandboxSettings::new(folder.path().join("cache"), folder.path().join("key"))
        };
        let sandbox = Sandbox::new(settings).unwrap();
        let honest = sandbox.load(&runs(""), "honest").unwrap();
        let mut inside = Self { sandbox, honest, own, before: 0, _folder: folder };
        inside.honest_work_is_done();
        inside.before = memory(std::process::id(), "VmRSS");
        inside
    }

    fn run(&self, plugin: &Plugin, grants: &[HttpGrant]) -> StepReport {
        let mut call = StepCall::new("flow", "run", "bad");
        call.limits.wall = Duration::from_secs(5);
        call.limits.http_timeout = Duration::from_millis(300);
        call.allow.http = grants.to_vec();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(plugin.run(call, Arc::new(Own(self.own))))
    }

    fn honest_work_is_done(&self) {
        assert!(self.run(&self.honest, &[]).outcome.is_ok());
    }

    /// Asks for a URL with these grants; it must end with this code. Gives the report.
    #[track_caller]
    fn asks(&self, case: &mut Case, url: &str, grants: &[HttpGrant], code: &str) -> StepReport {
        let plugin = self.sandbox.load(&asks(url), "bad").unwrap();
        let report = self.run(&plugin, grants);
        let failure = report.outcome.as_ref().expect_err("it got there");
        assert_eq!(failure.code, code, "{url}: {failure}");
        is_readable(&failure.message);
        let took = Duration::from_micros(report.usage.wall_us);
        case.ended(code, Timed { took, limit: Duration::from_secs(5) });
        self.honest_work_is_done();
        report
    }

    fn finish(self, mut case: Case, bound: u64) {
        case.grew(memory(std::process::id(), "VmRSS").saturating_sub(self.before), bound);
        case.finish();
    }
}

/// A guest that asks for a URL.
fn asks(url: &str) -> Vec<u8> {
    let mut guest = Guest::new();
    let (method, address, refused) = (guest.text("GET"), guest.text(url), guest.refused("http", RET + 4));
    guest.import("send", "http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32)").run(format!(
        "(call $send {method} {address} (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) \
         (i32.const 0) (i32.const {RET}))
        (if (i32.load8_u (i32.const {RET})) (then {refused}))"
    ));
    guest.build()
}

fn grant(origin: &str) -> HttpGrant {
    HttpGrant::parse(origin).unwrap()
}

#[test]
fn h30_has_a_name_that_leads_inside() {
    let mut case = Case::new(30);
    let server = Server::says("inside");
    let dresses = [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "10.0.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fd00::1",
        "100.64.0.1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "224.0.0.1",
    ];
    let address = |text: &str| SocketAddr::new(text.parse::<IpAddr>().unwrap(), server.port);
    let answers: Vec<Vec<SocketAddr>> = dresses.iter().map(|dress| vec![address(dress)]).collect();
    let inside = Inside::new(answers.clone(), None);
    let origin = format!("http://granted.example:{}", server.port);
    for _ in &answers {
        let report = inside.asks(&mut case, &format!("{origin}/x"), &[grant(&origin)], "denied");
        assert!(report.denials[0].contains("private network") || report.denials[0].contains("no grant"), "{report:?}");
    }
    assert!(server.heads().is_empty());
    inside.finish(case, 48);
}

#[test]
fn h31_has_a_name_that_changes_its_address() {
    let mut case = Case::new(31);
    let server = Server::says("inside");
    // A public address. Whether anybody answers there does not matter: it may be called.
    let public = SocketAddr::from(([93, 184, 216, 34], 1));
    let inside = Inside::new(vec![vec![public], vec![SocketAddr::from(([127, 0, 0, 1], server.port))]], None);
    let origin = format!("http://rebind.example:{}", server.port);
    let plugin = inside.sandbox.load(&asks(&format!("{origin}/x")), "first").unwrap();
    let first = inside.run(&plugin, &[grant(&origin)]);
    // It looked once: had it looked again to connect, it would have come to the server.
    assert!(first.denials.is_empty() && server.heads().is_empty(), "{:?}", first.denials);
    inside.asks(&mut case, &format!("{origin}/x"), &[grant(&origin)], "denied");
    assert!(server.heads().is_empty());
    inside.finish(case, 48);
}

#[test]
fn h54_calls_the_node_itself() {
    let mut case = Case::new(54);
    let own = Server::says("the node's own pages");
    let address = SocketAddr::from(([127, 0, 0, 1], own.port));
    let inside = Inside::new(vec![vec![address]], Some(address));
    for host in ["localhost", "127.0.0.1", "node.example"] {
        let origin = format!("http://{host}:{}", own.port);
        let report = inside.asks(&mut case, &format!("{origin}/v1/runs"), &[grant(&origin).private()], "denied");
        assert!(report.denials[0].contains("the node itself"), "{:?}", report.denials);
    }
    assert!(own.heads().is_empty());
    inside.finish(case, 48);
}
