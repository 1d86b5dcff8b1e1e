//! Attacks on a node of their own, which must bound them, tell of them, and go on with honest work.

use std::{fs, time::Duration};

use serde_json::Value;

use super::{
    case::{Case, Timed, memory, own_code},
    guest::{Guest, runs},
};
use crate::support::{Node, Project, project::step, repository, wait::patient, wait_until};

/// What an honest step may take at most where an attack does not say.
const CPU: u64 = 2_000;
const WALL: Duration = Duration::from_secs(5);

/// What a plugin that is added may take: to compile, and to describe itself.
const ADDED: Duration = Duration::from_secs(10);

/// A look at what happened, beyond what is looked at for every attack.
type Look = Box<dyn Fn(&Seen<'_>)>;

/// One hostile step and how it must end.
pub struct Attack {
    plugin: Vec<u8>,
    with: String,
    cpu: u64,
    wall: u64,
    limits: String,
    allow: String,
    more: String,
    ends: String,
    words: Vec<String>,
    is_refused: bool,
    looks: Vec<Look>,
}

impl Attack {
    /// A component, or a core module.
    pub fn new(plugin: Vec<u8>) -> Self {
        Self {
            plugin,
            with: "{}".to_owned(),
            cpu: CPU,
            wall: u64::try_from(patient(WALL).as_millis()).unwrap(),
            limits: String::new(),
            allow: String::new(),
            more: String::new(),
            ends: "succeeded".to_owned(),
            words: Vec::new(),
            is_refused: false,
            looks: Vec::new(),
        }
    }

    /// A guest.
    pub fn guest(guest: &Guest) -> Self {
        Self::new(guest.build())
    }

    /// A guest with this body of `run` and nothing else.
    pub fn body(body: &str) -> Self {
        Self::new(runs(body))
    }

    /// A mode of the plugin `misbehave`, with what else stands under `with`.
    pub fn mode(mode: &str, with: &str) -> Self {
        let plugin = fs::read(repository::component("testing/misbehave.wasm")).unwrap();
        Self { with: format!("{{ mode: {mode}, {with} }}"), ..Self::new(plugin) }
    }

    /// Milliseconds of computing.
    pub fn cpu(self, cpu: u64) -> Self {
        Self { cpu, ..self }
    }

    /// Milliseconds in all.
    pub fn wall(self, wall: u64) -> Self {
        Self { wall, ..self }
    }

    /// More limits.
    pub fn limits(self, limits: impl Into<String>) -> Self {
        Self { limits: format!(", {}", limits.into()), ..self }
    }

    /// Its grants.
    pub fn allow(self, allow: impl Into<String>) -> Self {
        Self { allow: allow.into(), ..self }
    }

    /// More keys of the step, each line indented by four spaces.
    pub fn more(self, more: impl Into<String>) -> Self {
        Self { more: more.into(), ..self }
    }

    /// The code that it must fail with, and what the message says.
    pub fn ends(mut self, code: &str, words: &[&str]) -> Self {
        self.ends = code.to_owned();
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// It must not become a plugin at all: with this code of the catalogue of errors.
    pub fn refused(self, code: &str, words: &[&str]) -> Self {
        Self { is_refused: true, ..self.ends(code, words) }
    }

    /// A look at what it left behind.
    pub fn look(mut self, look: impl Fn(&Seen<'_>) + 'static) -> Self {
        self.looks.push(Box::new(look));
        self
    }

    /// Puts the plugin and a workflow with its step into a project, both under this name.
    pub fn install(&self, project: &Project, name: &str) {
        project.write(&format!("plugins/{name}.wasm"), &self.plugin);
        project.workflow(name, &self.workflow(name));
    }

    fn workflow(&self, plugin: &str) -> String {
        let Self { with, cpu, wall, limits, allow, more, .. } = self;
        format!(
            "steps:\n  bad:\n    plugin: {plugin}\n    with: {with}\n    limits: {{ cpu: {cpu}ms, wall: {wall}ms{limits} \
             }}\n    allow: {{ {allow} }}\n{more}"
        )
    }
}

/// What an attack left behind.
pub struct Seen<'a> {
    /// The project that it ran in.
    pub project: &'a Project,
    /// The run.
    pub run: &'a str,
    /// `runs show` of it.
    pub view: &'a Value,
}

impl Seen<'_> {
    /// The hostile step.
    pub fn step(&self) -> &Value {
        step(self.view, "bad")
    }

    /// What the journal keeps of its last attempt.
    pub fn report(&self) -> &Value {
        &self.step()["report"]
    }

    /// What the page for people and the logs of the run say.
    pub fn told(&self) -> String {
        let shown = self.project.run(&["runs", "show", self.run]).ok().stdout;
        shown + &self.project.run(&["runs", "logs", self.run]).ok().stdout
    }
}

/// A node on which honest work has been done already.
pub struct Arena {
    /// Its project.
    pub project: Project,
    /// It.
    pub node: Node,
    before: u64,
    /// What of that is its own program.
    code: u64,
}

impl Arena {
    /// Starts it with this config and what else `prepare` puts into the project.
    #[track_caller]
    pub fn start(config: &str, prepare: impl FnOnce(&Project)) -> Self {
        let project = Project::new();
        project.write("trackside.toml", format!("[node]\nname = \"test\"\n{config}"));
        project.write("plugins/honest.wasm", runs(""));
        project.workflow("well", "steps:\n  good: { plugin: honest }\n");
        project.write("plugins/broken.wasm", runs("unreachable"));
        project.workflow("ill", "steps:\n  bad: { plugin: broken }\n");
        prepare(&project);
        let node = project.serve();
        let mut arena = Self { project, node, before: 0, code: 0 };
        arena.honest_work_is_done();
        // What the host has of its own for failures comes from its file now: no attack makes it hold that.
        let run = arena.node.start_run("ill");
        assert_eq!(arena.project.wait_end(&run)["state"], "failed");
        arena.before = memory(arena.node.pid(), "VmRSS");
        arena.code = own_code(arena.node.pid());
        // From here on the kernel notes the most anew.
        fs::write(format!("/proc/{}/clear_refs", arena.node.pid()), "5").unwrap();
        arena
    }

    /// Ends the node in order and starts another one.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.node.signal(rustix::process::Signal::TERM);
        wait_until("the node's end", || self.node.has_ended().then_some(()));
        self.node = self.project.serve();
    }

    /// The next honest step on the node succeeds.
    #[track_caller]
    pub fn honest_work_is_done(&mut self) {
        assert!(!self.node.has_ended(), "the node went down: {}", self.node.said());
        let run = self.node.start_run("well");
        let view = self.project.wait_end(&run);
        assert_eq!(view["state"], "succeeded", "{view:#}");
    }

    /// By how many bytes the node grew at its largest since it was started. Its own program's pages are not counted: they come from its file
    /// when they are first needed, after the kernel took them away too, whoever attacks.
    pub fn growth(&self) -> u64 {
        let code = own_code(self.node.pid()).saturating_sub(self.code);
        memory(self.node.pid(), "VmHWM").saturating_sub(self.before).saturating_sub(code)
    }
}

/// What is made ready in a project before the attack.
type Preparation = Box<dyn Fn(&Project)>;

/// Attacks of one case, on one node.
pub struct Attacks {
    case: Case,
    config: String,
    prepare: Vec<Preparation>,
    prepare_last: Vec<Preparation>,
    attacks: Vec<Attack>,
    growth: u64,
}

impl Attacks {
    /// The attacks of this number; the node may grow by so many MiB.
    #[track_caller]
    pub fn of(number: u8, growth: u64) -> Self {
        Self::going_on(Case::new(number), growth)
    }

    /// More attacks of a case that has begun.
    pub fn going_on(case: Case, growth: u64) -> Self {
        Self { case, config: String::new(), prepare: Vec::new(), prepare_last: Vec::new(), attacks: Vec::new(), growth }
    }

    /// More lines of trackside.toml.
    pub fn config(self, config: impl Into<String>) -> Self {
        Self { config: config.into(), ..self }
    }

    /// A file of the project.
    pub fn file(self, path: &'static str, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        self.prepare(move |project| project.write(path, &content))
    }

    /// What else is done to the project before the node starts.
    pub fn prepare(mut self, prepare: impl Fn(&Project) + 'static) -> Self {
        self.prepare.push(Box::new(prepare));
        self
    }

    /// What is done to it when the plugins lie in it.
    pub fn prepare_last(mut self, prepare: impl Fn(&Project) + 'static) -> Self {
        self.prepare_last.push(Box::new(prepare));
        self
    }

    /// How many there are so far: the number of the next one.
    pub fn count(&self) -> usize {
        self.attacks.len()
    }

    /// One more.
    pub fn attack(mut self, attack: Attack) -> Self {
        self.attacks.push(attack);
        self
    }

    /// Runs all of them, one after the other.
    #[track_caller]
    pub fn run(self) {
        let Self { mut case, config, prepare, prepare_last, attacks, growth } = self;
        let mut arena = Arena::start(&config, |project| {
            for prepare in &prepare {
                prepare(project);
            }
            for (number, attack) in attacks.iter().enumerate() {
                attack.install(project, &format!("bad-{number}"));
            }
            for prepare in &prepare_last {
                prepare(project);
            }
        });
        for (number, attack) in attacks.iter().enumerate() {
            let name = format!("bad-{number}");
            let run = |arena: &Arena| match attack.is_refused {
                true => is_not_added(&arena.project, &name, attack).later(attacked(arena, &name, attack)),
                false => attacked(arena, &name, attack),
            };
            let mut timed = run(&arena);
            if timed.is_late() {
                // Once more: the machine may have had something else to do.
                timed = run(&arena);
            }
            case.ended(&attack.ends, timed);
            arena.honest_work_is_done();
        }
        case.grew(arena.growth(), growth);
        case.finish();
    }
}

/// Runs an attack, which must end as it says; gives the time that it took of the limit that it came closest to.
#[track_caller]
fn attacked(arena: &Arena, name: &str, attack: &Attack) -> Timed {
    let run = arena.node.start_run(name);
    let view = arena.project.wait_end(&run);
    let step = step(&view, "bad");
    let (error, told) = (&step["error"], format!("{name}: {view:#}"));
    let message = error["message"].as_str().unwrap_or_default();
    let code = error["code"].as_str().unwrap_or("succeeded");
    if attack.is_refused {
        assert_eq!(code, "plugin-unavailable", "{told}");
        assert!(message.contains(&attack.ends), "{told}");
    } else {
        assert_eq!(code, attack.ends, "{told}");
    }
    if code != "succeeded" {
        assert_eq!(view["state"], "failed", "{told}");
        let page = arena.project.run(&["runs", "show", &run]).ok().stdout;
        assert!(page.contains(code), "people are not told: {page}");
        is_readable(message);
        is_readable(&page.replace('\n', ""));
    }
    for word in &attack.words {
        assert!(message.contains(word), "{word:?} is not said: {told}");
    }
    for look in &attack.looks {
        look(&Seen { project: &arena.project, run: &run, view: &view });
    }
    let took = |key: &str| Duration::from_micros(step["report"][key].as_u64().unwrap_or(0));
    let cpu = Timed { took: took("cpu_us"), limit: Duration::from_millis(attack.cpu) };
    let wall = Timed { took: took("wall_us"), limit: Duration::from_millis(attack.wall) };
    if code == "cpu-limit" || cpu.is_late() { cpu } else { wall }
}

/// One line without anything that a terminal obeys.
#[track_caller]
pub fn is_readable(text: &str) {
    assert!(!text.trim().is_empty(), "there is no reason");
    assert!(text.len() < 128 << 10, "{} bytes", text.len());
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(obeyed), "control characters in {text:?}");
}

/// `plugin add` refuses it in one line.
#[track_caller]
fn is_not_added(project: &Project, name: &str, attack: &Attack) -> Timed {
    let ran = project.run(&["plugin", "add", &format!("plugins/{name}.wasm"), "--name", "added"]);
    // 2 where the file cannot even be taken.
    assert!(matches!(ran.code(), 1 | 2), "{ran}");
    let line = ran.stderr.lines().find(|line| line.contains(&attack.ends));
    is_readable(line.unwrap_or_else(|| panic!("{} is not said: {ran}", attack.ends)));
    let installed = project.names(".trackside/plugins");
    assert!(installed.iter().all(|file| !file.ends_with(".wasm")), "{installed:?}");
    Timed { took: ran.took, limit: patient(ADDED) }
}
