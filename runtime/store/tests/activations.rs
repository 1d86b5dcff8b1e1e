//! Which definitions are in use.

use std::{path::Path, sync::Arc};

use trackside_spec::{Plan, load_workflow};
use trackside_store::{ACTIVATIONS_KEPT, Activation, Committer, Durability, Reader, Txn, Write};

fn plan(name: &str, value: i64) -> Arc<Plan> {
    let text = format!("version: 1\nname: {name}\nsteps:\n  a: {{ plugin: echo, with: {{ value: {value} }} }}\n");
    Arc::new(load_workflow("w.yaml", &text).unwrap())
}

fn activated(name: &str, plan: Option<Arc<Plan>>, at_ms: i64) -> Write {
    let file = format!("workflows/{name}.yaml");
    Write::Activated(Activation { workflow: name.into(), file, plan, at_ms, by: "ana".into() })
}

fn commit(folder: &Path, writes: Vec<Write>) {
    let mut committer = Committer::open(folder, Durability::Relaxed).unwrap();
    committer.commit(&[Txn::of(writes)]).unwrap();
}

#[test]
fn the_newest_activation_counts_and_brings_its_text_along() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (plan("a", 1), plan("a", 2));
    let writes = vec![
        activated("a", Some(old.clone()), 1),
        activated("b", Some(plan("b", 1)), 1),
        activated("a", Some(new.clone()), 2),
        activated("b", None, 3),
        activated("a", Some(old.clone()), 4),
    ];
    commit(folder.path(), writes);
    let reader = Reader::open(folder.path()).unwrap();
    let in_use = reader.in_use().unwrap();
    assert_eq!(in_use.len(), 1, "{in_use:#?}");
    assert_eq!((in_use[0].digest, in_use[0].source.as_deref()), (Some(old.digest), Some(old.source.as_str())));
    assert_eq!((in_use[0].file.as_str(), in_use[0].at_ms, in_use[0].by.as_str()), ("workflows/a.yaml", 4, "ana"));
    let history: Vec<_> = reader.activations("a", 9).unwrap().iter().map(|row| row.digest).collect();
    assert_eq!(history, [Some(old.digest), Some(new.digest), Some(old.digest)]);
    assert_eq!(reader.activations("b", 1).unwrap()[0].digest, None);
}

#[test]
fn the_history_of_a_workflow_is_bounded_and_that_of_others_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut writes = vec![activated("other", Some(plan("other", 1)), 0)];
    writes.extend((0..ACTIVATIONS_KEPT + 5).map(|at| activated("a", Some(plan("a", at)), at)));
    commit(folder.path(), writes);
    let reader = Reader::open(folder.path()).unwrap();
    let kept = reader.activations("a", u32::MAX).unwrap();
    assert_eq!(i64::try_from(kept.len()).unwrap(), ACTIVATIONS_KEPT);
    assert_eq!((kept[0].at_ms, reader.in_use().unwrap().len()), (ACTIVATIONS_KEPT + 4, 2));
}
