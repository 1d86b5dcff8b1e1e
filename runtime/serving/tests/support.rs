//! A catalog that tests write, and models whose version shows in their answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use trackside_codes::Reason;
use trackside_models::{EngineChoice, Output, onnx::proto::ModelProto};
use trackside_serving::{
    Answer, Catalog, Content, Entry, ModelSettings, Request, ServeError, Served, Serving, ServingSettings, SystemClock,
    Version,
};
use trackside_spec::ModelVersion;
use trackside_spec::{CHAMPION, Digest, Tensor};

use crate::made::{BOOL, D, FLOAT, INT64, Lab, constant, f32s, graph, graph_attribute, i64s, model, node, raw, value};

/// What is said of models.
#[derive(Default)]
pub struct Said(Mutex<BTreeMap<String, Entry>>);

impl Catalog for Said {
    fn find(&self, name: &str) -> Result<Option<Entry>, Reason> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn names(&self) -> Result<Vec<String>, Reason> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }
}

/// A box with a catalog.
pub struct Bench {
    pub lab: Lab,
    pub said: Arc<Said>,
    pub serving: Serving,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(ServingSettings::default())
    }

    pub fn with(settings: ServingSettings) -> Self {
        let lab = Lab::new();
        let said = Arc::new(Said::default());
        let serving = Serving::new(said.clone(), Arc::new(lab.engines()), settings, Arc::new(SystemClock::default()));
        Self { lab, said, serving }
    }

    /// Says that there is a model of this name with these settings and no version.
    pub fn say(&self, name: &str, settings: ModelSettings) {
        let entry = Entry { versions: BTreeMap::new(), aliases: BTreeMap::new(), settings };
        self.said.0.lock().unwrap().insert(name.to_owned(), entry);
    }

    pub fn change(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        change(self.said.0.lock().unwrap().get_mut(name).unwrap());
    }

    pub fn forget(&self, name: &str) {
        self.said.0.lock().unwrap().remove(name);
    }

    /// Adds a version and has the alias `champion` name it.
    pub fn add(&self, name: &str, number: u32, model: &ModelProto) {
        let file = format!("{name}-{number}.onnx");
        let path = self.lab.write(&file, model);
        let content = Content::Registered(Digest::of(file.as_bytes()));
        let version = Version { engine: EngineChoice::Rten, ..Version::of(path, content) };
        self.change(name, |entry| {
            entry.versions.insert(number, version);
            entry.aliases.insert(CHAMPION.to_owned(), number);
        });
    }

    /// A model with one version, in service.
    pub fn served(&self, name: &str, settings: ModelSettings, model: &ModelProto) -> Served {
        self.say(name, settings);
        self.add(name, 1, model);
        self.open(name)
    }

    pub fn open(&self, name: &str) -> Served {
        self.serving.open_here(name, &ModelVersion::Unsaid, None).unwrap()
    }

    /// How many of a model's requests run and wait.
    pub fn under_way(&self, name: &str) -> (usize, usize) {
        self.serving.state(name).unwrap()[0].under_way
    }

    /// Waits until it is so.
    pub fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what}: not within a minute");
            std::thread::yield_now();
        }
    }
}

/// y = x + `add`, of any number of rows of 2.
pub fn adds(add: f32) -> ModelProto {
    let mut graph = graph(
        vec![node("Add", &["x", "add"], &["y"])],
        vec![value("x", FLOAT, &[D::S("N"), D::N(2)])],
        vec![value("y", FLOAT, &[D::S("N"), D::N(2)])],
    );
    graph.initializer = vec![constant("add", &[1], &[add])];
    model(graph)
}

/// y = x + the largest of `rounds`, one at a time: as slow as a test wants.
pub fn counts() -> ModelProto {
    let mut body = graph(
        vec![node("Add", &["m", "one"], &["m2"]), node("Identity", &["c"], &["c2"])],
        vec![value("i", INT64, &[]), value("c", BOOL, &[]), value("m", FLOAT, &[D::S("N"), D::N(2)])],
        vec![value("c2", BOOL, &[]), value("m2", FLOAT, &[D::S("N"), D::N(2)])],
    );
    body.initializer = vec![constant("one", &[1], &[1.0])];
    let mut most = node("ReduceMax", &["rounds"], &["most"]);
    most.attribute = vec![crate::made::attribute("keepdims", |a| (a.i, a.r#type) = (Some(0), Some(2)))];
    let mut call = node("Loop", &["most", "", "x"], &["y"]);
    call.attribute = vec![graph_attribute("body", body)];
    model(graph(
        vec![most, call],
        vec![value("rounds", INT64, &[D::S("N")]), value("x", FLOAT, &[D::S("N"), D::N(2)])],
        vec![value("y", FLOAT, &[D::S("N"), D::N(2)])],
    ))
}

/// y = x + `rounds`, one at a time, whatever the input: too slow to be run many times before anybody is answered.
pub fn slow(rounds: i64) -> ModelProto {
    let mut body = graph(
        vec![node("Add", &["m", "one"], &["m2"]), node("Identity", &["c"], &["c2"])],
        vec![value("i", INT64, &[]), value("c", BOOL, &[]), value("m", FLOAT, &[D::S("N"), D::N(2)])],
        vec![value("c2", BOOL, &[]), value("m2", FLOAT, &[D::S("N"), D::N(2)])],
    );
    body.initializer = vec![constant("one", &[1], &[1.0])];
    let mut call = node("Loop", &["most", "", "x"], &["y"]);
    call.attribute = vec![graph_attribute("body", body)];
    let mut graph = graph(
        vec![call],
        vec![value("x", FLOAT, &[D::S("N"), D::N(2)])],
        vec![value("y", FLOAT, &[D::S("N"), D::N(2)])],
    );
    graph.initializer = vec![raw("most", INT64, &[], rounds.to_le_bytes().to_vec())];
    model(graph)
}

/// y = the row of a table of two at `at`: fails in the engine where there is none.
pub fn picks() -> ModelProto {
    let mut graph = graph(
        vec![node("Gather", &["table", "at"], &["y"])],
        vec![value("at", INT64, &[D::S("N")])],
        vec![value("y", FLOAT, &[D::S("N")])],
    );
    graph.initializer = vec![constant("table", &[2], &[10.0, 20.0])];
    model(graph)
}

pub fn x(rows: &[[f32; 2]]) -> Request {
    let flat: Vec<f32> = rows.concat();
    let rows = u32::try_from(rows.len()).unwrap();
    Request { inputs: vec![("x".to_owned(), f32s(&[rows, 2], &flat))], ..Request::default() }
}

pub fn rounds(rounds: i64, x: [f32; 2]) -> Request {
    let inputs = vec![("rounds".to_owned(), i64s(&[1], &[rounds])), ("x".to_owned(), f32s(&[1, 2], &x))];
    Request { inputs, ..Request::default() }
}

pub fn at(at: i64) -> Request {
    Request { inputs: vec![("at".to_owned(), i64s(&[1], &[at]))], ..Request::default() }
}

pub fn y(answer: Result<Answer, ServeError>) -> Vec<f32> {
    tensor(&answer.unwrap().outputs[0].1).to_f32().unwrap()
}

fn tensor(output: &Output) -> &Tensor {
    output.tensor().unwrap()
}
