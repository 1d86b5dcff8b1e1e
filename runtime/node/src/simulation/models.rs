//! The registry and the models in service: versions come and go, aliases move, clients and steps ask, files break, and the machine goes
//! down between any two of these.
//!
//! The models are real (they add what their version's content says), the engine is the built-in one, the folders and rows are those of
//! a real registry; made up are both clocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use prost::Message;
use trackside_models::{
    EngineChoice,
    onnx::proto::{
        DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
        TensorTypeProto, TypeProto, ValueInfoProto, data_type::FLOAT,
    },
    package::{About, Draft, Shelf},
};
use trackside_serving::{Answer, Clock, Request, ServeError, Served};
use trackside_spec::{CHAMPION, Digest, ElementType, ModelVersion, Tensor};
use trackside_steps::Models;
use trackside_store::{AddedModel, Clock as _, ModelRow, MovedAlias, Readers, Txn, Write};

use crate::core::Input;

use super::{
    machine::Machine,
    project,
    world::{FakeClock, World},
};

/// The names that versions are added to.
pub const NAMES: [&str; 2] = ["pump", "valve"];
/// As the project's configuration says it of `pump`: one in so many milliseconds on average, so many at once.
pub const RATE: (u64, u64) = (500, 3);
/// As long as a version that could not be taken up may stay untried, and more.
const TRIED_AGAIN: u64 = 61_000;

/// The clocks that serving goes by: one that only goes forward, and the box's.
pub struct Ticks {
    running_ms: AtomicU64,
    wall: Arc<FakeClock>,
}

impl Ticks {
    pub fn new(wall: Arc<FakeClock>) -> Self {
        Self { running_ms: AtomicU64::new(0), wall }
    }

    fn pass(&self, ms: u64) {
        self.running_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.running_ms.load(Ordering::Relaxed)
    }
}

impl Clock for Ticks {
    fn running(&self) -> Duration {
        Duration::from_millis(self.now())
    }

    fn wall_ms(&self) -> u64 {
        self.wall.now_ms().cast_unsigned()
    }
}

/// What a crash destroys.
pub struct InService {
    models: Models,
    shelf: Shelf,
    /// The change of the registry that is under way: one at a time, as whoever changes it holds its door.
    change: Option<Change>,
    /// What is left of the rate of `pump`, in milliseconds, and when that was so.
    left: (u64, u64),
    /// What each alias named in this machine's life.
    named: BTreeMap<(String, String), BTreeSet<u32>>,
}

struct Change {
    on_disk: Arc<AtomicBool>,
    removes: Option<Digest>,
}

/// What stays through crashes, and is on no disk of the registry.
#[derive(Default)]
pub struct Broken {
    /// Packages whose model is damaged, or was until so long ago that a try of then may still hold.
    packages: BTreeMap<Digest, Option<u64>>,
}

impl InService {
    pub fn boot(world: &World) -> Self {
        let project = project::at(world.folder.path());
        let (root, data_dir) = (project.root.clone(), project.data_dir());
        let readers = Arc::new(Readers::new(data_dir.clone()));
        let models = Models::new(root, data_dir.clone(), project.config.clone(), readers, world.ticks.clone());
        let (witness, now) = (world.witness.lock().unwrap(), world.ticks.now());
        let mut named: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
        for (alias, version) in &witness.models.aliases {
            named.entry(alias.clone()).or_default().insert(*version);
        }
        let left = (RATE.0 * RATE.1, now);
        Self { models, shelf: Shelf::of(&data_dir), change: None, left, named }
    }
}

impl World {
    /// Somebody changes the registry, when nobody else does.
    pub fn change_models(&mut self, machine: &mut Machine) {
        if let Some(change) = machine.models.change.take() {
            return self.after_a_change(machine, change);
        }
        let name = self.chance.pick(&NAMES).unwrap();
        let row = machine.reader.model(name).unwrap();
        let numbers: Vec<u32> = row.iter().flat_map(|row| &row.versions).map(|version| version.version).collect();
        match (self.chance.below(10), self.chance.pick(&numbers)) {
            (0..3, _) | (_, None) => self.add_version(machine, name, row.as_ref()),
            (3..5, Some(to)) => {
                let alias = self.chance.pick(&[CHAMPION, "candidate"]).unwrap();
                let to = (alias == CHAMPION || !self.chance.one_in(4)).then_some(to);
                let moved = self.moved(name, alias, to);
                self.keep_models(machine, vec![moved], None);
            }
            (5..7, _) => {
                let row = row.unwrap();
                let free = numbers.iter().copied().filter(|version| row.aliases_of(*version).next().is_none());
                let Some(version) = self.chance.pick(&free.collect::<Vec<_>>()) else { return };
                let digest = row.version(version).unwrap().digest;
                let removed =
                    Write::ModelRemoved { name: name.to_owned(), version, at_ms: self.now(), by: "ana".to_owned() };
                self.keep_models(machine, vec![removed], Some(digest));
            }
            (_, Some(version)) => {
                // One answers; another breaks, and somebody who does not know it moves the alias there.
                self.open(machine, name, &ModelVersion::Unsaid);
                self.damage(&row.unwrap().version(version).unwrap().digest, machine);
                let moved = self.moved(name, CHAMPION, Some(version));
                self.keep_models(machine, vec![moved], None);
            }
        }
    }

    fn moved(&self, name: &str, alias: &str, to: Option<u32>) -> Write {
        let (name, alias, by) = (name.to_owned(), alias.to_owned(), "ana".to_owned());
        Write::ModelAliasMoved(MovedAlias { name, alias, to, at_ms: self.now(), by })
    }

    fn add_version(&mut self, machine: &mut Machine, name: &str, row: Option<&ModelRow>) {
        let adds = self.chance.below(6) as f32;
        let file = self.folder.path().join("model.onnx");
        fs::write(&file, model(adds)).unwrap();
        let about = About { engine: EngineChoice::Rten, ..About::default() };
        let draft = Draft::of_file(&file, &[]).unwrap().about(about);
        let shelf = &machine.models.shelf;
        let manifest = draft.manifest(&shelf.limits).unwrap();
        let mut incoming = shelf.begin().unwrap();
        for entry in &manifest.files {
            incoming.take(entry, &mut draft.open(&entry.path).unwrap()).unwrap();
        }
        if self.chance.one_in(12) {
            // As a crash leaves it.
            std::mem::forget(incoming);
            return self.saw("folders that a crash left without a row");
        }
        let digest = incoming.finish(&manifest.to_bytes(&shelf.limits).unwrap(), None).unwrap();
        let is_known = row.is_some_and(|row| row.versions.iter().any(|version| version.digest == digest));
        let is_broken = matches!(self.broken.packages.get(&digest), Some(None));
        if machine.reader.model_versions_with(&digest).unwrap() == 0 || is_broken {
            shelf.put(incoming, &digest).unwrap();
            self.broken.packages.entry(digest).and_modify(|mended| *mended = Some(self.ticks.now()));
        }
        let mut witness = self.witness.lock().unwrap();
        witness.models.adds.insert(digest, adds);
        witness.models.files.insert(digest, manifest.files[0].digest);
        drop(witness);
        if is_known || self.chance.one_in(12) {
            return;
        }
        let (version, bytes) = (row.map_or(0, |row| row.last_version) + 1, manifest.bytes());
        let (name_here, at_ms, by) = (name.to_owned(), self.now(), "bo".to_owned());
        let mut writes = vec![Write::ModelAdded(AddedModel { name: name_here, version, digest, bytes, at_ms, by })];
        if version == 1 {
            writes.push(self.moved(name, CHAMPION, Some(version)));
        }
        if self.chance.one_in(3) {
            writes.push(self.moved(name, "candidate", Some(version)));
        }
        self.keep_models(machine, writes, None);
    }

    fn keep_models(&self, machine: &mut Machine, writes: Vec<Write>, removes: Option<Digest>) {
        for write in &writes {
            if let Write::ModelAliasMoved(MovedAlias { name, alias, to: Some(to), .. }) = write {
                machine.models.named.entry((name.clone(), alias.clone())).or_default().insert(*to);
            }
        }
        let on_disk = Arc::new(AtomicBool::new(false));
        machine.models.change = Some(Change { on_disk: on_disk.clone(), removes });
        let tell = Box::new(move || on_disk.store(true, Ordering::Relaxed));
        machine.give(Input::Keep(Txn::of(writes), tell), self.now());
    }

    /// Who made a change hears that it is on disk, and lets another in; the folder of a version that is gone goes after its row.
    fn after_a_change(&mut self, machine: &mut Machine, change: Change) {
        if !change.on_disk.load(Ordering::Relaxed) {
            machine.models.change = Some(change);
            return;
        }
        let Some(digest) = change.removes else { return };
        if machine.reader.model_versions_with(&digest).unwrap() == 0 {
            machine.models.shelf.remove(&digest).unwrap();
            self.broken.packages.remove(&digest);
        }
    }

    /// A model on the disk is not what it was: what is loaded goes on, and nothing loads it.
    fn damage(&mut self, digest: &Digest, machine: &Machine) {
        let file = machine.models.shelf.folder(digest).join("model.onnx");
        let Ok(bytes) = fs::read(&file) else { return };
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, vec![0; bytes.len()]).unwrap();
        self.broken.packages.insert(*digest, None);
        self.saw("models that broke on disk");
    }

    fn is_broken(&self, digest: &Digest) -> bool {
        match self.broken.packages.get(digest) {
            None => false,
            Some(None) => true,
            Some(Some(mended)) => self.ticks.now() < mended + TRIED_AGAIN,
        }
    }

    /// A client asks a model.
    pub fn ask_a_model(&mut self, machine: &mut Machine) {
        let pause = if self.chance.one_in(8) { 70_000 } else { self.chance.below(300) as u64 };
        self.ticks.pass(pause);
        let name = self.chance.pick(&["pump", "valve", "pump", "pipe"]).unwrap();
        let which = match self.chance.below(4) {
            0 => ModelVersion::Number(1 + self.chance.below(4) as u32),
            1 => ModelVersion::Alias("candidate".to_owned()),
            _ => ModelVersion::Unsaid,
        };
        if let Some(served) = self.open(machine, name, &which) {
            self.predict(machine, &served);
        }
    }

    /// The version that a name means at this moment, and no other.
    fn open(&self, machine: &mut Machine, name: &str, which: &ModelVersion) -> Option<Served> {
        let opened = machine.models.models.serving().open_here(name, which, None);
        let mut witness = self.witness.lock().unwrap();
        let known = witness.models.versions_of(name);
        let expected = witness.models.number(name, which);
        if known.is_empty() {
            let error = opened.err();
            assert!(matches!(error, Some(ServeError::UnknownModel { .. })), "there is no {name}: {error:?}");
            // What was known of it is forgotten with it.
            if name == "pump" {
                machine.models.left = (RATE.0 * RATE.1, self.ticks.now());
            }
            return None;
        }
        match (opened, expected) {
            (Ok(served), Some(number)) if served.version() == number => Some(served),
            (Ok(served), Some(number)) => {
                let alias = match which {
                    ModelVersion::Alias(alias) => alias,
                    ModelVersion::Unsaid => CHAMPION,
                    ModelVersion::Number(_) => panic!("a number means itself"),
                };
                assert!(
                    self.is_broken(&known[&number]),
                    "an alias means what it was moved to: {name} {which:?} {number}"
                );
                let before = &machine.models.named[&(name.to_owned(), alias.to_owned())];
                assert!(before.contains(&served.version()), "what answers instead was named before: {name} {which:?}");
                witness.saw("answers by the version before one that is broken");
                Some(served)
            }
            (Err(ServeError::Load { .. }), Some(number)) => {
                assert!(self.is_broken(&known[&number]), "what is whole is loaded: {name} {number}");
                witness.saw("models that did not load");
                None
            }
            (Err(ServeError::UnknownVersion { .. } | ServeError::UnknownAlias { .. }), None) => None,
            (opened, expected) => {
                panic!("{name} {which:?} should be {expected:?}: {:?}", opened.map(|served| served.version()))
            }
        }
    }

    fn predict(&self, machine: &mut Machine, served: &Served) -> Option<Answer> {
        let x = Tensor::from_bytes(ElementType::Float32, vec![1], 1f32.to_le_bytes().to_vec()).unwrap();
        let answer = served.predict_here(Request { inputs: vec![("x".to_owned(), x)], ..Request::default() });
        let may = served.name() != "pump" || machine.models.takes(self.ticks.now());
        let mut witness = self.witness.lock().unwrap();
        match answer {
            Ok(answer) => {
                assert!(may, "a rate is kept");
                let package = witness
                    .models
                    .ever
                    .iter()
                    .find(|(name, version, _)| name == served.name() && *version == answer.version);
                let adds = witness.models.adds[&package.unwrap().2];
                let y = answer.outputs[0].1.tensor().unwrap().to_f32().unwrap();
                assert_eq!(y, [1.0 + adds], "a version is what it was added as: {} {}", served.name(), answer.version);
                witness.saw("answers of models");
                Some(answer)
            }
            Err(ServeError::TooOften { .. }) => {
                assert!(!may, "who keeps the rate is let in");
                witness.saw("requests above a model's rate");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A step asks `pump`, and says who answered.
    pub fn ask_for_a_step(&self, machine: &mut Machine) -> Option<(String, Digest, Vec<f32>)> {
        self.ticks.pass(150);
        let served = self.open(machine, "pump", &ModelVersion::Unsaid)?;
        let answer = self.predict(machine, &served)?;
        let y = answer.outputs[0].1.tensor().unwrap().to_f32().unwrap();
        Some((format!("pump@{}", answer.version), served.info().digest, y))
    }
}

impl InService {
    /// Whether a request is within the rate, and takes its part of it.
    fn takes(&mut self, now: u64) -> bool {
        let (left, since) = self.left;
        let left = (left + now - since).min(RATE.0 * RATE.1);
        let may = left >= RATE.0;
        self.left = (if may { left - RATE.0 } else { left }, now);
        may
    }
}

/// y = x + `adds`.
fn model(adds: f32) -> Vec<u8> {
    let dim = DimensionProto { dim_param: Some("N".to_owned()), ..DimensionProto::default() };
    let port = |name: &str| {
        let shape = Some(TensorShapeProto { dim: vec![dim.clone()] });
        let tensor_type = Some(TensorTypeProto { elem_type: Some(FLOAT), shape });
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type, ..TypeProto::default() }) }
    };
    let add = NodeProto {
        op_type: Some("Add".to_owned()),
        input: vec!["x".to_owned(), "adds".to_owned()],
        output: vec!["y".to_owned()],
        ..NodeProto::default()
    };
    let adds = TensorProto {
        name: Some("adds".to_owned()),
        data_type: Some(FLOAT),
        dims: vec![1],
        raw_data: Some(adds.to_le_bytes().to_vec().into()),
        ..TensorProto::default()
    };
    let graph = GraphProto {
        name: Some("g".to_owned()),
        node: vec![add],
        initializer: vec![adds],
        input: vec![port("x")],
        output: vec![port("y")],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(17) };
    let model =
        ModelProto { ir_version: Some(8), opset_import: vec![opset], graph: Some(graph), ..ModelProto::default() };
    model.encode_to_vec()
}
