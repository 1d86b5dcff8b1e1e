//! The imports called directly, for what no guest in the repository does.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    sync::{Arc, Mutex},
    time::Instant,
};
use trackside_codes::Reason;

use trackside_spec::{Allow, ArtifactRef, Tensor};
use wasmtime::component::Resource;

use crate::{
    bindings::trackside::plugin::{
        inference::{ElementType, HostModel, HostTensor, InferenceError},
        outbox::{Host as _, OutboxError},
        secrets::HostSecret,
        state::{Host as _, Scope, StateError},
    },
    call::StepCall,
    descriptor::{Descriptor, Want},
    host_api::{ArtifactSink, BoxFuture, InferenceFailure, ModelHandle, ModelSignature, StateEntry, StepHost},
    report::{Expect, StateScope},
    store_data::{CallData, Purpose},
};

/// Committed state, and a model that doubles the number of elements of its input.
#[derive(Default)]
struct Host(Mutex<BTreeMap<String, StateEntry>>);

struct Doubler(ModelSignature);

impl ModelHandle for Doubler {
    fn info(&self) -> &ModelSignature {
        &self.0
    }

    fn run<'a>(
        &'a self,
        inputs: Vec<(String, Arc<Tensor>)>,
        _: Vec<String>,
        _: Instant,
    ) -> BoxFuture<'a, Result<Vec<(String, Tensor)>, InferenceFailure>> {
        let output = inputs.first().map(|(_, tensor)| {
            let data = [tensor.data(), tensor.data()].concat();
            let count = u32::try_from(tensor.len() * 2).unwrap();
            ("y".to_owned(), Tensor::from_bytes(tensor.element(), vec![count], data).unwrap())
        });
        Box::pin(std::future::ready(Ok(output.into_iter().collect())))
    }
}

impl StepHost for Host {
    fn open_artifact(&self, _: &ArtifactRef) -> io::Result<File> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn create_artifact(&self) -> io::Result<Box<dyn ArtifactSink>> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn open_model<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Arc<dyn ModelHandle>, InferenceFailure>> {
        let info = ModelSignature { digest: "d".into(), inputs: vec![], outputs: vec![], metadata: vec![] };
        let model: Arc<dyn ModelHandle> = Arc::new(Doubler(info));
        Box::pin(std::future::ready(Ok(model)))
    }

    fn state_get<'a>(&'a self, _: StateScope, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, Reason>> {
        Box::pin(std::future::ready(Ok(self.0.lock().unwrap().get(key).cloned())))
    }

    fn state_list<'a>(
        &'a self,
        _: StateScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        let state = self.0.lock().unwrap();
        let fits = |key: &&String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Box::pin(std::future::ready(Ok(state.keys().filter(fits).take(limit).cloned().collect())))
    }

    fn now_ms(&self) -> u64 {
        0
    }

    fn has_channel(&self, name: &str) -> bool {
        name == "plant"
    }
}

/// A call that is granted state and the model `m`, over committed keys at version 5.
fn data(committed: &[&str]) -> CallData {
    let state = committed.iter().map(|key| {
        let entry = StateEntry { value: b"old".to_vec(), version: 5 };
        ((*key).to_owned(), entry)
    });
    let host = Arc::new(Host(Mutex::new(state.collect())));
    let wants = ["state", "models", "outbox", "publish", "emit", "deliver", "secrets"];
    let descriptor = Descriptor {
        name: "test".into(),
        version: "1".into(),
        summary: String::new(),
        docs: String::new(),
        input_schema: serde_json::json!({}),
        output_schema: serde_json::json!({}),
        inputs: vec![],
        outputs: vec![],
        wants: wants
            .map(|kind| Want { kind: kind.into(), value: String::new(), reason: String::new(), optional: true })
            .into(),
        deterministic: false,
        extra: vec![],
    };
    let mut call = StepCall::new("flow", "run", "step");
    call.allow = Allow { state: true, models: vec!["m".into()], ..Allow::default() };
    call.limits.tensor_bytes = 100;
    CallData::new(Purpose::Run(Arc::new(descriptor)), call, host, Instant::now(), crate::net::Net::new(None, None))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The same handle once more; a guest may lend one any number of times.
fn lend<T: 'static>(resource: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(resource.rep())
}

#[test]
fn a_tensor_that_lies_about_its_size_is_refused() {
    let mut data = data(&[]);
    let float = ElementType::Float32;
    let cases: [(Vec<u32>, usize); 5] =
        [(vec![3], 8), (vec![], 8), (vec![u32::MAX; 3], 0), (vec![1; 17], 4), (vec![0, u32::MAX], 4)];
    for (shape, bytes) in cases {
        let made = data.from_bytes(float, shape.clone(), vec![0; bytes]).unwrap();
        assert!(matches!(made, Err(InferenceError::BadTensor(_))), "{shape:?}");
    }
    let text = data.from_bytes(ElementType::Text, vec![1], vec![0]).unwrap();
    assert!(matches!(text, Err(InferenceError::BadTensor(_))));
}

#[test]
fn live_tensors_share_one_budget_that_drops_give_back() {
    let mut data = data(&[]);
    let zeroed = |data: &mut CallData, count| data.zeroed(ElementType::Float32, vec![count]).unwrap();
    let first = zeroed(&mut data, 20).unwrap();
    assert!(matches!(zeroed(&mut data, 6), Err(InferenceError::ResourceExhausted(_))));
    // Refused before a byte of it is allocated.
    assert!(matches!(zeroed(&mut data, u32::MAX), Err(InferenceError::ResourceExhausted(_))));
    HostTensor::drop(&mut data, first).unwrap();
    assert!(zeroed(&mut data, 25).is_ok());
}

#[test]
fn reads_and_writes_of_a_tensor_stay_inside_it() {
    let mut data = data(&[]);
    let tensor = data.from_bytes(ElementType::Uint8, vec![4], vec![1, 2, 3, 4]).unwrap().unwrap();
    assert!(data.write_at(lend(&tensor), 2, vec![9, 9]).unwrap().is_ok());
    for (offset, bytes) in [(3, vec![0, 0]), (5, vec![]), (u64::MAX, vec![1])] {
        assert!(data.write_at(lend(&tensor), offset, bytes).unwrap().is_err(), "{offset}");
    }
    assert_eq!(HostTensor::read(&mut data, lend(&tensor)).unwrap().unwrap(), [1, 2, 9, 9]);
    for (offset, max, expected) in [(1, 2, &[2, 9][..]), (3, 9, &[9][..]), (9, 9, &[]), (u64::MAX, u32::MAX, &[])] {
        assert_eq!(HostTensor::read_at(&mut data, lend(&tensor), offset, max).unwrap().unwrap(), expected);
    }
    assert_eq!(data.top_k(lend(&tensor), 1).unwrap().unwrap(), [(2, 9.0)]);
}

#[test]
fn a_model_runs_on_tensors_that_stay_in_the_host() {
    let mut data = data(&[]);
    let ungranted = wait(HostModel::open(&mut data, "other".into())).unwrap();
    assert!(matches!(ungranted, Err(InferenceError::Denied(_))));
    let model = wait(HostModel::open(&mut data, "m".into())).unwrap().unwrap();
    let tensor = data.from_bytes(ElementType::Uint8, vec![2], vec![1, 2]).unwrap().unwrap();
    let inputs = vec![("x".to_owned(), lend(&tensor))];
    let mut outputs = wait(data.run(lend(&model), inputs, vec![])).unwrap().unwrap();
    let (name, output) = outputs.remove(0);
    assert_eq!(name, "y");
    assert_eq!(HostTensor::read(&mut data, lend(&output)).unwrap().unwrap(), [1, 2, 1, 2]);
    assert_eq!(data.usage.model_runs, 1);
    // An output over the budget fails the run instead of being kept.
    let large = data.zeroed(ElementType::Uint8, vec![60]).unwrap().unwrap();
    let answer = wait(data.run(lend(&model), vec![("x".to_owned(), lend(&large))], vec![])).unwrap();
    assert!(matches!(answer, Err(InferenceError::ResourceExhausted(_))));
}

#[test]
fn compare_and_set_looks_at_committed_and_staged_entries() {
    let mut data = data(&["k"]);
    let mut swap =
        |key: &str, expected| wait(data.compare_and_set(Scope::Step, key.into(), expected, vec![1])).unwrap();
    assert!(matches!(swap("k", None), Err(StateError::Conflict)));
    assert!(matches!(swap("k", Some(4)), Err(StateError::Conflict)));
    assert_eq!(swap("k", Some(5)).unwrap(), 6);
    assert_eq!(swap("k", Some(6)).unwrap(), 7);
    assert!(matches!(swap("new", Some(1)), Err(StateError::Conflict)));
    assert_eq!(swap("new", None).unwrap(), 1);
    let entry = wait(data.get(Scope::Step, "k".into())).unwrap().unwrap().unwrap();
    assert_eq!((entry.version, entry.value), (7, vec![1]));
    let writes = std::mem::take(&mut data.staged).into_writes();
    let checks = writes.iter().map(|write| (write.key.as_str(), write.expect)).collect::<Vec<_>>();
    assert_eq!(checks, [("k", Expect::Version(5)), ("new", Expect::Absent)]);
}

#[test]
fn a_listing_shows_staged_keys_and_hides_deleted_ones_page_by_page() {
    let mut data = data(&["a", "b", "c", "d", "e"]);
    for key in ["b", "c", "d"] {
        data.delete(Scope::Step, key.into()).unwrap().unwrap();
    }
    for key in ["aa", "f"] {
        data.set(Scope::Step, key.into(), vec![], None).unwrap().unwrap();
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = wait(data.list_keys(Scope::Step, String::new(), after, 2)).unwrap().unwrap();
        assert!(page.keys.len() <= 2);
        all.extend(page.keys);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, ["a", "aa", "e", "f"]);
}

#[test]
fn state_keys_and_values_are_bounded() {
    let mut data = data(&[]);
    data.call.limits.state_value_bytes = 4;
    for (key, value) in [("", vec![]), ("a\nb", vec![]), ("k", vec![0; 5])] {
        assert!(data.set(Scope::Step, key.into(), value, None).unwrap().is_err(), "{key:?}");
    }
    assert!(data.set(Scope::Step, "x".repeat(513), vec![], None).unwrap().is_err());
    assert!(data.staged.into_writes().is_empty());
}

#[test]
fn what_is_not_granted_is_denied_with_the_words_that_would_grant_it() {
    let mut data = data(&[]);
    let publish = data.publish("mqtt".into(), "t".into(), vec![], vec![]).unwrap();
    assert!(matches!(publish, Err(OutboxError::Denied(text)) if text.contains("publish: [\"t\"]")));
    let emit = data.emit("done".into(), "{}".into()).unwrap();
    assert!(matches!(emit, Err(OutboxError::Denied(text)) if text.contains("emit: [\"done\"]")));
    assert!(wait(HostSecret::open(&mut data, "key".into())).unwrap().is_err());
    assert_eq!(data.recorder.lock().take_denials().len(), 3);
}

#[test]
fn events_are_staged_by_granted_names_within_the_limits() {
    let data = data(&[]);
    let mut call = data.call.clone();
    call.allow.emit = vec!["done".into(), "alarm".into()];
    call.policy.emit = Some(vec!["done".into()]);
    call.limits.outbox_entries = 2;
    let host = Arc::new(Host::default());
    let Purpose::Run(descriptor) = &data.purpose else { panic!("a run") };
    let net = crate::net::Net::new(None, None);
    let mut data = CallData::new(Purpose::Run(descriptor.clone()), call, host, Instant::now(), net);
    let mut emit = |event: &str, json: &str| data.emit(event.into(), json.into()).unwrap();
    assert!(matches!(emit("other", "{}"), Err(OutboxError::Denied(_))));
    let refused = emit("alarm", "{}");
    assert!(matches!(&refused, Err(OutboxError::Denied(text)) if text.contains("[policy] emit")), "{refused:?}");
    assert!(matches!(emit("done", "{"), Err(OutboxError::BadRequest(_))));
    assert!(matches!(emit("done", &"[".repeat(5_000)), Err(OutboxError::BadRequest(_))));
    let large = format!("\"{}\"", "x".repeat(trackside_spec::MAX_EVENT));
    assert!(matches!(emit("done", &large), Err(OutboxError::QuotaExceeded(_))));
    assert!(emit("done", "{\"n\":1}").is_ok() && emit("done", "null").is_ok());
    assert!(matches!(emit("done", "1"), Err(OutboxError::QuotaExceeded(_))));
    let brought = [serde_json::json!({ "n": 1 }), serde_json::Value::Null];
    assert_eq!(data.outbox, brought.map(|data| crate::report::OutboxEntry::Emit { event: "done".into(), data }));
}

#[test]
fn messages_are_staged_for_granted_topics_of_known_brokers_within_the_limits() {
    let mut data = data(&[]);
    data.call.limits.message_bytes = 4;
    data.call.limits.messages_bytes = 20;
    let mut call = data.call.clone();
    call.allow.publish = vec!["site/#".into()];
    let host = Arc::new(Host::default());
    let Purpose::Run(descriptor) = &data.purpose else { panic!("a run") };
    let net = crate::net::Net::new(None, None);
    let mut data = CallData::new(Purpose::Run(descriptor.clone()), call, host, Instant::now(), net);
    let mut publish = |channel: &str, topic: &str, payload: &[u8]| {
        data.publish(channel.into(), topic.into(), payload.to_vec(), vec![("a".into(), "b".into())]).unwrap()
    };
    assert!(matches!(publish("plant", "site/+", b""), Err(OutboxError::BadRequest(_))));
    assert!(matches!(publish("plant", "$SYS/x", b""), Err(OutboxError::BadRequest(_))));
    assert!(matches!(publish("plant", "other", b""), Err(OutboxError::Denied(_))));
    assert!(matches!(publish("other", "site/1", b""), Err(OutboxError::Denied(text)) if text.contains("no broker")));
    assert!(matches!(publish("plant", "site/1", b"12345"), Err(OutboxError::QuotaExceeded(_))));
    assert!(publish("plant", "site/1", b"1234").is_ok());
    assert!(matches!(publish("plant", "site/1", b"1234"), Err(OutboxError::QuotaExceeded(_))));
    assert_eq!(data.outbox.len(), 1);
}
